// One measured line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "histogram.hpp"

namespace sessionblocks::bench {

struct Row {
  std::string workload;
  std::string op;
  std::string peer;
  std::string promise;
  unsigned processes = 1;
  std::uint64_t keys = 0;
  std::uint64_t value_bytes = 0;
  unsigned repetition = 0;

  std::uint64_t operations = 0;
  double real_ns = 0;  // of an operation, as its process sees it
  double cpu_ns = 0;   // that the process took, with what was made and checked
  double ops_per_s = 0;
  double busy_share = 0;  // of the pass that was in the peer's calls
  Histogram latency_ns;
  double rate = 0;           // open loop
  std::uint64_t deaths = 0;  // of the process beside
  unsigned blocks = 1;
  std::optional<double> bytes_per_entry;
  std::optional<double> hit_ratio;
  std::optional<double> expected_hit_ratio;  // of the oracle, without those undecided
  std::optional<double> undecided_ratio;
  std::string error;  // what went wrong; then nothing else counts

  [[nodiscard]] std::string name() const {
    return workload + "/processes:" + std::to_string(processes) + "/peer:" + peer;
  }
};

}  // namespace sessionblocks::bench
