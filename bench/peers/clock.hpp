// The clock that single operations are measured with: the processor's time stamp where it runs at
// one rate on all cores (constant_tsc, nonstop_tsc), else CLOCK_MONOTONIC.
//
// Reading it takes time itself, which is never subtracted: cost_ns() says how much of each
// measured time it is.
#pragma once

#include <x86intrin.h>

#include <cstdint>
#include <ctime>

namespace sessionblocks::bench {

class Clock {
 public:
  // Takes some 20 ms to find the rate.
  [[nodiscard]] static Clock calibrated();

  // RDTSCP waits for the instructions before it, LFENCE keeps those after it.
  [[nodiscard]] std::uint64_t now() const noexcept {
    if (!uses_stamp_) return monotonic_ns();
    unsigned cpu = 0;
    const std::uint64_t ticks = __rdtscp(&cpu);
    _mm_lfence();
    return ticks;
  }
  [[nodiscard]] double ns(std::uint64_t ticks) const noexcept {
    return static_cast<double>(ticks) * ns_per_tick_;
  }
  [[nodiscard]] std::uint64_t ticks(double ns) const noexcept {
    return static_cast<std::uint64_t>(ns / ns_per_tick_);
  }
  // Between two readings with nothing between them: the median.
  [[nodiscard]] double cost_ns() const noexcept { return cost_ns_; }
  [[nodiscard]] const char* name() const noexcept {
    return uses_stamp_ ? "rdtscp" : "CLOCK_MONOTONIC";
  }

  [[nodiscard]] static std::uint64_t monotonic_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
  }

 private:
  bool uses_stamp_ = false;
  double ns_per_tick_ = 1;
  double cost_ns_ = 0;
};

}  // namespace sessionblocks::bench
