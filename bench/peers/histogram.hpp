// A log-linear histogram, as HdrHistogram has it: 128 steps for each power of two, so that what is
// read back is at most 0.8 % above what was recorded. Fixed size and no pointers, so it can lie in
// memory that two processes share. Covers 0 to 2^40; what is above is counted in the last step.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace sessionblocks::bench {

class Histogram {
 public:
  void record(std::uint64_t value) noexcept {
    ++steps_[step_of(value)];
    ++count_;
    highest_ = std::max(highest_, value);
  }

  void add(const Histogram& other) noexcept {
    for (std::size_t step = 0; step < kSteps; ++step) steps_[step] += other.steps_[step];
    count_ += other.count_;
    highest_ = std::max(highest_, other.highest_);
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t highest() const noexcept { return highest_; }

  // The least value that `share` (0 to 1) of those recorded do not pass; 0 when there are none.
  [[nodiscard]] std::uint64_t percentile(double share) const noexcept {
    if (count_ == 0) return 0;
    const auto wanted = static_cast<std::uint64_t>(
        std::max(1.0, std::ceil(share * static_cast<double>(count_) - 1e-9)));
    std::uint64_t seen = 0;
    for (std::size_t step = 0; step < kSteps; ++step) {
      seen += steps_[step];
      if (seen >= wanted) return std::min(highest_in(step), highest_);
    }
    return highest_;
  }

 private:
  static constexpr unsigned kBits = 7;  // of the steps within a power of two
  static constexpr std::uint64_t kWithin = std::uint64_t{1} << kBits;
  static constexpr unsigned kHighestBits = 40;
  static constexpr std::size_t kSteps = (kHighestBits - kBits + 1) * kWithin;

  // Values below kWithin have a step each; above, the leading kBits + 1 bits choose it.
  static constexpr std::size_t step_of(std::uint64_t value) noexcept {
    if (value < kWithin) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kBits - 1;
    const std::size_t step = (shift + 1) * kWithin + ((value >> shift) - kWithin);
    return std::min(step, kSteps - 1);
  }
  static constexpr std::uint64_t highest_in(std::size_t step) noexcept {
    if (step < kWithin) return step;
    const auto shift = static_cast<unsigned>(step / kWithin - 1);
    return ((step % kWithin + kWithin + 1) << shift) - 1;
  }

  std::array<std::uint64_t, kSteps> steps_{};
  std::uint64_t count_ = 0;
  std::uint64_t highest_ = 0;
};

}  // namespace sessionblocks::bench
