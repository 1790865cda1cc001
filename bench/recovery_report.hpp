// What recovery_time measured, as a table or as JSON.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace sessionblocks::bench {

struct Options {
  bool json = false;
  bool busy = false;
  unsigned samples = 200;
};

// The steps of one death after the other, and all of it.
constexpr std::array kSteps = {"noticed", "drained", "recovered", "drained_again", "removed"};
struct Times {
  std::array<std::vector<double>, kSteps.size()> steps_ms;
  std::vector<double> reclaimed_ms;
};

inline double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size()));
  return values[std::min(at, values.size() - 1)];
}

inline void report_text(std::uint64_t entries, unsigned workers, const Times& times,
                        bool is_first) {
  if (is_first) {
    std::printf("from SIGKILL to everything reclaimed, in ms; p50 of its steps\n entries workers");
    for (const char* step : kSteps) std::printf(" %13s", step);
    std::printf(" |       p50       p99       max\n");
  }
  std::printf("%8llu %7u", static_cast<unsigned long long>(entries), workers);
  for (const auto& step : times.steps_ms) std::printf(" %13.3f", percentile(step, 0.5));
  std::printf(" | %9.3f %9.3f %9.3f\n", percentile(times.reclaimed_ms, 0.5),
              percentile(times.reclaimed_ms, 0.99), percentile(times.reclaimed_ms, 1.0));
}

inline void report_json(const Options& options, std::uint64_t entries, unsigned workers,
                        const Times& times, bool is_first) {
  std::printf("%s\n  {\"entries\": %llu, \"workers\": %u, \"samples\": %u, \"busy\": %s",
              is_first ? "[" : ",", static_cast<unsigned long long>(entries), workers,
              options.samples, options.busy ? "true" : "false");
  for (std::size_t step = 0; step < kSteps.size(); ++step) {
    std::printf(", \"%s_p50_ms\": %.3f, \"%s_p99_ms\": %.3f", kSteps[step],
                percentile(times.steps_ms[step], 0.5), kSteps[step],
                percentile(times.steps_ms[step], 0.99));
  }
  std::printf(", \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}",
              percentile(times.reclaimed_ms, 0.5), percentile(times.reclaimed_ms, 0.99),
              percentile(times.reclaimed_ms, 1.0));
}

}  // namespace sessionblocks::bench
