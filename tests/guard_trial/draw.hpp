// What is drawn for one run: the same seed and name draw the same, on every machine.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string_view>

namespace sessionblocks::guard_trial {

class Draw {
 public:
  Draw(std::uint64_t seed, std::string_view name) {
    std::uint64_t mixed = seed * 0x9E37'79B9'7F4A'7C15U;
    for (const char letter : name) {
      mixed = (mixed ^ static_cast<unsigned char>(letter)) * 0x100'0000'01B3U;
    }
    random_.seed(mixed);
  }

  // Both ends are drawn too.
  [[nodiscard]] std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + random_() % (high - low + 1);
  }
  [[nodiscard]] std::size_t below(std::size_t end) { return random_() % end; }
  [[nodiscard]] double real(double low, double high) {
    return low + (high - low) * static_cast<double>(random_() >> 11U) * 0x1.0p-53;
  }
  // Each doubling between the two is as likely as another: for speeds and sizes.
  [[nodiscard]] double spread(double low, double high) {
    return low * std::exp2(real(0, std::log2(high / low)));
  }
  [[nodiscard]] bool chance(double of_one) { return real(0, 1) < of_one; }
  // How many of independent events there are where `mean` are to be expected (Knuth 1969; in parts,
  // as the product of a large mean underflows).
  [[nodiscard]] std::uint64_t events(double mean) {
    constexpr double kAtOnce = 16;
    std::uint64_t count = 0;
    for (; mean > 0; mean -= kAtOnce) {
      const double end = std::exp(-std::min(mean, kAtOnce));
      for (double product = real(0, 1); product > end; product *= real(0, 1)) ++count;
    }
    return count;
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace sessionblocks::guard_trial
