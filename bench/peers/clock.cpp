#include "clock.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <string>

namespace sessionblocks::bench {
namespace {

bool stamp_is_steady() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("flags", 0) != 0) continue;
    line += ' ';
    for (const char* flag : {" rdtscp ", " constant_tsc ", " nonstop_tsc "}) {
      if (line.find(flag) == std::string::npos) return false;
    }
    return true;
  }
  return false;
}

}  // namespace

Clock Clock::calibrated() {
  Clock clock;
  clock.uses_stamp_ = stamp_is_steady();
  if (clock.uses_stamp_) {
    constexpr std::uint64_t kLongNs = 20'000'000;
    const std::uint64_t begun_ns = monotonic_ns();
    const std::uint64_t begun = clock.now();
    std::uint64_t now_ns = begun_ns;
    while (now_ns - begun_ns < kLongNs) now_ns = monotonic_ns();
    clock.ns_per_tick_ =
        static_cast<double>(now_ns - begun_ns) / static_cast<double>(clock.now() - begun);
  }
  std::array<std::uint64_t, 1'001> pairs{};
  for (auto& pair : pairs) {
    const std::uint64_t before = clock.now();
    pair = clock.now() - before;
  }
  std::nth_element(pairs.begin(), pairs.begin() + pairs.size() / 2, pairs.end());
  clock.cost_ns_ = clock.ns(pairs[pairs.size() / 2]);
  return clock;
}

}  // namespace sessionblocks::bench
