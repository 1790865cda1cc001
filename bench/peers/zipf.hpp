// Two generators of Zipf-distributed ranks, 0 the most frequent.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>

namespace sessionblocks::bench {

using Random = std::mt19937_64;

// From 0 to below 1.
[[nodiscard]] inline double unit(Random& random) {
  return static_cast<double>(random() >> 11U) * 0x1.0p-53;
}

// As YCSB has it: Gray et al., "Quickly generating billion-record synthetic databases" (SIGMOD
// 1994). An approximation, exact for the first two ranks; 0 < theta < 1.
class YcsbZipf {
 public:
  YcsbZipf(std::uint64_t items, double theta) : items_(static_cast<double>(items)), theta_(theta) {
    for (std::uint64_t i = 1; i <= items; ++i) zeta_ += 1 / std::pow(static_cast<double>(i), theta);
    const double zeta_two = 1 + std::pow(0.5, theta);
    alpha_ = 1 / (1 - theta);
    eta_ = (1 - std::pow(2 / items_, 1 - theta)) / (1 - zeta_two / zeta_);
  }

  [[nodiscard]] std::uint64_t operator()(Random& random) const {
    const double u = unit(random);
    const double uz = u * zeta_;
    if (uz < 1) return 0;
    if (uz < 1 + std::pow(0.5, theta_)) return 1;
    const auto rank = static_cast<std::uint64_t>(items_ * std::pow(eta_ * u - eta_ + 1, alpha_));
    const auto last = static_cast<std::uint64_t>(items_) - 1;
    return rank < last ? rank : last;
  }

 private:
  double items_;
  double theta_;
  double zeta_ = 0;
  double alpha_ = 0;
  double eta_ = 0;
};

// Exact for any alpha > 0: Hörmann and Derflinger, "Rejection-inversion to generate variates from
// monotone discrete distributions" (1996). Production caches have alpha up to 2.7.
class Zipf {
 public:
  Zipf(std::uint64_t items, double alpha)
      : items_(static_cast<double>(items)),
        alpha_(alpha),
        low_(integral(1.5) - 1),
        high_(integral(items_ + 0.5)),
        always_(2 - inverse(integral(2.5) - std::pow(2.0, -alpha))) {}

  [[nodiscard]] std::uint64_t operator()(Random& random) const {
    for (;;) {
      const double at = high_ + unit(random) * (low_ - high_);
      const double x = inverse(at);
      const double rank = std::fmin(std::fmax(std::floor(x + 0.5), 1), items_);
      if (rank - x <= always_ || at >= integral(rank + 0.5) - std::pow(rank, -alpha_)) {
        return static_cast<std::uint64_t>(rank) - 1;
      }
    }
  }

 private:
  // Of x^-alpha; log at alpha = 1, and no loss of digits beside it.
  [[nodiscard]] double integral(double x) const {
    const double logarithm = std::log(x);
    const double grows = (1 - alpha_) * logarithm;
    return std::abs(grows) < 1e-8 ? logarithm * (1 + grows / 2) : std::expm1(grows) / (1 - alpha_);
  }
  [[nodiscard]] double inverse(double y) const {
    const double grows = std::fmax(y * (1 - alpha_), -1);
    return std::abs(grows) < 1e-8 ? std::exp(y * (1 - grows / 2))
                                  : std::exp(std::log1p(grows) / (1 - alpha_));
  }

  double items_;
  double alpha_;
  double low_;
  double high_;
  double always_;
};

}  // namespace sessionblocks::bench
