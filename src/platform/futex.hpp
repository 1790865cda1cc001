// Sleeping on a 32-bit word in shared memory until another process changes it and wakes.
//
// Waiting works through a read-only mapping; waking needs only the address. The kernel keys the
// word by file and offset, so each process may have it mapped elsewhere. A waiter that dies leaves
// nothing; a waker that dies before wake() leaves sleepers, so callers bound every wait.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace sessionblocks::platform {

enum class FutexWait : std::uint8_t {
  woken,        // by wake(), or spuriously: look again
  changed,      // the word was not `expected`; did not sleep
  timed_out,    //
  interrupted,  // a signal handler ran
  failed,       // the address is not mapped or not aligned
};

// Sleeps while the word is `expected`, at most `timeout` (from now; not above zero: no sleep).
[[nodiscard]] FutexWait futex_wait_for(const std::atomic<std::uint32_t>& word,
                                       std::uint32_t expected,
                                       std::chrono::nanoseconds timeout) noexcept;

// The same until a time of CLOCK_MONOTONIC in nanoseconds (clock.hpp, monotonic_ns()).
[[nodiscard]] FutexWait futex_wait_until(const std::atomic<std::uint32_t>& word,
                                         std::uint32_t expected,
                                         std::uint64_t deadline_ns) noexcept;

// Wakes at most `count` sleepers (all when negative); how many it was. About 330 ns without any.
int futex_wake(const std::atomic<std::uint32_t>& word, int count = -1) noexcept;

}  // namespace sessionblocks::platform
