// The processes that write to the block while it is taken from them: one that goes on, one that is
// stopped. Started from this same program; the kernel ends them with it.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "platform/unique_fd.hpp"

namespace sessionblocks::bench {

inline constexpr unsigned kEnforceWriters = 2;

// What they are told and tell, in memory that both sides map.
struct EnforceBoard {
  char block[64];
  std::uint64_t entries;
  std::uint64_t value_bytes;
  std::atomic<std::uint64_t> writes[kEnforceWriters];
};

[[nodiscard]] std::string enforce_key(std::uint64_t entry);

class EnforceWriters {
 public:
  // Where they attach, as NAME=value.
  explicit EnforceWriters(std::vector<std::string> environment);
  ~EnforceWriters();
  EnforceWriters(const EnforceWriters&) = delete;
  EnforceWriters& operator=(const EnforceWriters&) = delete;

  // Returns when both have written, and the second one is stopped.
  void start(const std::string& block, std::uint64_t entries, std::uint64_t value_bytes);
  void end();

 private:
  [[nodiscard]] pid_t spawn(unsigned number);

  std::vector<std::string> environment_;
  platform::UniqueFd board_fd_;
  EnforceBoard* board_ = nullptr;
  std::vector<pid_t> pids_;
};

}  // namespace sessionblocks::bench
