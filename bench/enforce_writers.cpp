#include "enforce_writers.hpp"

#include <sessionblocks/sessionblocks.hpp>

#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>

#include "local.hpp"
#include "workload.hpp"

namespace sessionblocks::bench {
namespace {

constexpr int kBoardFd = 3;
constexpr std::uint64_t kAtWork = 50;  // writes after which a writer is in the middle of it

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "sessionbench: %s\n", what);
  std::exit(1);
}

EnforceBoard* map_board(int fd) {
  void* const memory =
      ::mmap(nullptr, sizeof(EnforceBoard), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) die("cannot map the board");
  return static_cast<EnforceBoard*>(memory);
}

}  // namespace

std::string enforce_key(std::uint64_t entry) {
  char text[32];
  std::snprintf(text, sizeof text, "session/%012llu", static_cast<unsigned long long>(entry));
  return text;
}

EnforceWriters::EnforceWriters(std::vector<std::string> environment)
    : environment_(std::move(environment)) {
  board_fd_.reset(static_cast<int>(::memfd_create("board", MFD_CLOEXEC)));
  if (!board_fd_ || ::ftruncate(board_fd_.get(), sizeof(EnforceBoard)) != 0) die("no board");
  board_ = map_board(board_fd_.get());
}

EnforceWriters::~EnforceWriters() {
  end();
  ::munmap(board_, sizeof(EnforceBoard));
}

void EnforceWriters::start(const std::string& block, std::uint64_t entries,
                           std::uint64_t value_bytes) {
  if (block.size() >= sizeof board_->block) die("the block's name is too long");
  std::memcpy(board_->block, block.c_str(), block.size() + 1);
  board_->entries = entries;
  board_->value_bytes = value_bytes;
  for (unsigned number = 0; number < kEnforceWriters; ++number) {
    board_->writes[number].store(0);
    pids_.push_back(spawn(number));
  }
  for (unsigned number = 0; number < kEnforceWriters; ++number) {
    while (board_->writes[number].load() < kAtWork) {
      if (::waitpid(pids_[number], nullptr, WNOHANG) != 0) die("a writer has ended");
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }
  ::kill(pids_.back(), SIGSTOP);
  int status = 0;
  if (::waitpid(pids_.back(), &status, WUNTRACED) < 0 || !WIFSTOPPED(status)) {
    die("a writer does not stop");
  }
}

void EnforceWriters::end() {
  for (const pid_t pid : pids_) {
    ::kill(pid, SIGKILL);  // ours and not reaped: the number is nobody else's
    ::waitpid(pid, nullptr, 0);
  }
  pids_.clear();
}

pid_t EnforceWriters::spawn(unsigned number) {
  std::vector<char*> environment;
  for (auto& variable : environment_) environment.push_back(variable.data());
  environment.push_back(nullptr);
  std::string program = "sessionbench";
  std::string mode = "enforce-writer";
  std::string which = std::to_string(number);
  char* arguments[] = {program.data(), mode.data(), which.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, board_fd_.get(), kBoardFd);
  pid_t pid = -1;
  const int failed =
      ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, arguments, environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) die("a writer does not start");
  return pid;
}

// Writes until it is ended; what the block's state forbids is tried again.
int run_enforce_writer(const char* number) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto which = std::strtoul(number, nullptr, 10) % kEnforceWriters;
  EnforceBoard& board = *map_board(kBoardFd);
  auto session = Session::attach();
  if (!session) Workload::die(session.error());
  auto block = session->open(board.block);
  if (!block) Workload::die(block.error());
  const std::string value(board.value_bytes, 'w');
  std::mt19937_64 random(which + 1);
  for (;;) {
    const auto put = block->put(enforce_key(random() % board.entries), value);
    if (put) {
      board.writes[which].fetch_add(1, std::memory_order_relaxed);
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

}  // namespace sessionblocks::bench
