// A short sleep of a worker that needs something which the director does in its own time.
#pragma once

#include "platform/futex.hpp"

#include <atomic>
#include <chrono>

namespace sessionblocks {

// Nothing wakes us: the director must not pay for a worker that is ahead of it.
inline void nap() {
  constexpr auto kNap = std::chrono::microseconds(100);
  std::atomic<std::uint32_t> never{0};
  (void)platform::futex_wait_for(never, 0, kNap);
}

}  // namespace sessionblocks
