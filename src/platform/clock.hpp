// Time, by the clocks that this system uses, each without a system call.
//
// monotonic_coarse_ms: expiry and audit stamps; 3-6 ns, steps of about 4 ms, stops in suspend.
// monotonic_ns: deadlines of waits. boottime_ns: what survives suspend; the offset in control.
// realtime_ns: only for people (logs); it jumps.
#pragma once

#include <cstdint>
#include <ctime>

namespace sessionblocks::platform {

namespace detail {
inline timespec read_clock(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);  // cannot fail for the clocks below
  return now;
}
inline std::uint64_t to_ns(const timespec& time) noexcept {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}
}  // namespace detail

inline std::uint64_t monotonic_coarse_ms() noexcept {
  const timespec now = detail::read_clock(CLOCK_MONOTONIC_COARSE);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000U +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000U;
}
inline std::uint64_t monotonic_ns() noexcept {
  return detail::to_ns(detail::read_clock(CLOCK_MONOTONIC));
}
inline std::uint64_t boottime_ns() noexcept {
  return detail::to_ns(detail::read_clock(CLOCK_BOOTTIME));
}
inline std::uint64_t realtime_ns() noexcept {
  return detail::to_ns(detail::read_clock(CLOCK_REALTIME));
}

}  // namespace sessionblocks::platform
