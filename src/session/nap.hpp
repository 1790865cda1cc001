// Short sleeps of a worker that needs something which the director does in its own time.
#pragma once

#include "platform/futex.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>

namespace sessionblocks {

// Nothing wakes us: the director must not pay for a worker that is ahead of it. Each sleep is twice
// as long as the one before: a hundred that wait must not keep it from its work.
class Naps {
 public:
  void take_one() {
    std::atomic<std::uint32_t> never{0};
    (void)platform::futex_wait_for(never, 0, next_);
    next_ = std::min(2 * next_, kLongest);
  }

 private:
  static constexpr std::chrono::microseconds kLongest{3'200};
  std::chrono::microseconds next_{100};
};

}  // namespace sessionblocks
