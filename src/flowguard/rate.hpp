// How often something happens, and how far that is from its own past.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace sessionblocks::flowguard {

// Events a second, exponentially weighted with a time constant: what happened one constant ago
// counts 1/e.
class Rate {
 public:
  explicit Rate(double constant_s) noexcept : constant_s_(constant_s) {}

  // What happened in no time counts when some has passed.
  void add(double events, double passed_s) noexcept {
    waiting_ += events;
    if (passed_s <= 0) return;
    per_s_ += (waiting_ / passed_s - per_s_) * (1 - std::exp(-passed_s / constant_s_));
    waiting_ = 0;
  }
  [[nodiscard]] double per_s() const noexcept { return per_s_; }

 private:
  double constant_s_;
  double per_s_ = 0;
  double waiting_ = 0;
};

// A number that only grows, as long as it grew lately; else 0. What is found by it ends by itself,
// and is found again when it grows again.
class Lately {
 public:
  static constexpr std::uint64_t kMs = 10'000;

  [[nodiscard]] std::uint64_t look(std::uint64_t number, std::uint64_t now_ms) noexcept {
    if (number != number_) grown_ms_ = now_ms;
    number_ = number;
    return now_ms - grown_ms_ < kMs ? number : 0;
  }

 private:
  std::uint64_t number_ = 0;
  std::uint64_t grown_ms_ = 0;
};

// The statistic of `scope.deviation`. Of each window of 10 s, y = log2(1 + operations a second) is
// compared with the exponentially weighted mean and variance of the windows before (weight 1/60 for
// the newest: ten minutes' memory; West 1979 for the update), as (y - mean) / max(deviation, 1/2).
// The floor says that a change by less than a factor of 1.4 is nothing, however steady the past
// was. The first 30 windows only teach. A window teaches at most three deviations, so that an
// attack does not soon become the past.
class Baseline {
 public:
  static constexpr double kWindowS = 10;
  static constexpr unsigned kLearning = 30;
  static constexpr double kWeight = 1.0 / 60;
  static constexpr double kFloor = 0.5;

  void add(double events, double passed_s) noexcept {
    events_ += events;
    passed_s_ += passed_s;
    if (passed_s_ < kWindowS) return;
    learn(std::log2(1 + events_ / passed_s_));
    events_ = 0;
    passed_s_ = 0;
  }
  // Of the last whole window; 0 while it learns.
  [[nodiscard]] double deviation() const noexcept { return deviation_; }

 private:
  void learn(double y) noexcept {
    const double sd = std::max(std::sqrt(variance_), kFloor);
    deviation_ = windows_ < kLearning ? 0 : (y - mean_) / sd;
    const double taught = windows_ < kLearning ? y : std::clamp(y, mean_ - 3 * sd, mean_ + 3 * sd);
    const double weight = std::max(kWeight, 1.0 / (windows_ + 1));
    const double step = taught - mean_;
    mean_ += weight * step;
    variance_ = (1 - weight) * (variance_ + weight * step * step);
    ++windows_;
  }

  double events_ = 0;
  double passed_s_ = 0;
  double mean_ = 0;
  double variance_ = 0;
  double deviation_ = 0;
  unsigned windows_ = 0;
};

}  // namespace sessionblocks::flowguard
