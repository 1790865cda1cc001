// What test, directors and workers share: a file that all of them map. The test arms a crash point
// in whatever director runs or comes next; workers say what they were told.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>

namespace sessionblocks::deaths {

inline constexpr unsigned kWatchdogSeconds = 280;  // of every process; armed again for each step
inline constexpr std::size_t kMostLabels = 160;
inline constexpr std::size_t kLateBuckets = 28;
inline constexpr std::size_t kMostLives = 4'096;

// One process under load, from its attach to its end.
struct Life {
  std::atomic<pid_t> pid;  // 0: nobody has it yet
  std::atomic<std::uint64_t> start_ticks;
  std::atomic<std::uint32_t> worker;  // 0: not attached
  std::atomic<std::uint32_t> reads_only;
  std::atomic<std::uint32_t> is_victim;  // it may be killed
  std::atomic<std::uint64_t> started;    // operations begun, and how many of them were answered
  std::atomic<std::uint64_t> answered;
  std::atomic<std::uint32_t> rests;  // the rest in which it was seen to rest
  std::atomic<std::uint32_t> has_failed;
  char failure[200];
  bool is_over;      // the test's own: it has ended
  bool was_checked;  // and so did the check of its entries
  // How late the answers came after their operations were due: below 1, 2, 4 ... microseconds.
  std::array<std::atomic<std::uint64_t>, kLateBuckets> late;
};

// Of block "churn".
enum class Command : std::uint32_t { none = 0, take_checkpoint = 1, release_checkpoint = 2 };

struct Label {
  char name[40];
  std::atomic<std::uint64_t> passed;  // by directors
};

struct Board {
  std::atomic<std::uint32_t> armed;           // index of a label + 1; 0: none
  std::atomic<std::uint32_t> armed_next;      // once a director has died at that
  std::atomic<pid_t> ready;                   // the director that directs
  std::atomic<std::uint32_t> rest;            // odd: workers begin no operation
  std::atomic<std::uint32_t> victim_dies_at;  // index of a label + 1
  std::atomic<std::uint64_t> per_second;      // operations that are due, for each worker
  // What only the director's own program can have it do; Command, 0 when it is done.
  std::atomic<std::uint32_t> command;
  std::uint32_t labels_used;
  Label labels[kMostLabels];
  char root_token[128];
  char victim_token[128];  // of the script of this name, if the suite has it
  std::atomic<std::uint32_t> lives_used;
  Life lives[kMostLives];

  [[nodiscard]] std::uint32_t find(const char* label) const noexcept {
    for (std::uint32_t i = 0; i < labels_used; ++i) {
      if (std::strcmp(labels[i].name, label) == 0) return i + 1;
    }
    return 0;
  }
};

// Null when the file cannot be had.
inline Board* map_board(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ::ftruncate(fd, sizeof(Board)) != 0) return nullptr;
  void* const memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return memory == MAP_FAILED ? nullptr : static_cast<Board*>(memory);
}

}  // namespace sessionblocks::deaths
