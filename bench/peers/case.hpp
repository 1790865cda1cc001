// What is measured: which keys and values are there, and what is done to them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster.hpp"

namespace sessionblocks::bench {

// What must be loaded before; cases with the same one share the load.
struct Dataset {
  std::uint64_t entries = 1'000;
  std::uint64_t key_bytes = 16;
  std::uint64_t value_bytes = 64;
  bool counters = false;
  bool expires = false;
  unsigned blocks = 1;

  bool operator==(const Dataset&) const = default;
  [[nodiscard]] std::uint64_t data_bytes() const { return entries * (key_bytes + value_bytes); }
};

enum class Spread : std::uint8_t {
  hot,      // one key, the same in every process
  own,      // one key for each process
  uniform,  // any key as often as any other
  zipf,     // YCSB's scrambled Zipfian, theta 0.99
  latest,   // YCSB's: the last inserted are read most
};

// Of 1,000 operations.
struct Mix {
  unsigned reads = 1'000;
  unsigned updates = 0;
  unsigned inserts = 0;
  unsigned modifies = 0;  // a read and then a write of the same key
  unsigned increments = 0;

  [[nodiscard]] unsigned sum() const { return reads + updates + inserts + modifies + increments; }
};

// A second process that writes to the same data.
enum class Deaths : std::uint8_t {
  none,    // there is none
  spared,  // it goes on
  nearby,  // it is killed in the middle of its work, over and over
};

struct Case {
  std::string workload;  // "random/keys:100000/value:64/reads:95"
  std::string op;        // "get", "put", "increment", "mixed"
  Dataset data;
  Spread spread = Spread::hot;
  Mix mix;
  unsigned processes = 1;
  std::string study;                  // only for peers that name it among theirs
  std::uint64_t most_operations = 0;  // of the throughput pass; 0: as many as there is time for
  double least_seconds = 0;           // of the throughput pass
  Deaths deaths = Deaths::none;
  std::optional<Cluster> cluster;  // twitter: instead of spread and mix
  bool measures_memory = false;    // only what the loaded data takes

  [[nodiscard]] std::string name() const {
    return workload + "/processes:" + std::to_string(processes);
  }
};

struct Skipped {
  std::string name;
  std::string reason;
};

struct Cases {
  std::vector<Case> cases;
  std::vector<Skipped> skipped;
};

// Everything, or the fixed part of it that takes minutes.
[[nodiscard]] Cases all_cases(const std::vector<Cluster>& clusters);
[[nodiscard]] Cases quick_cases(const std::vector<Cluster>& clusters);
// Is `name` one of `wanted`, or does it begin with one and a slash? With none wanted: yes.
[[nodiscard]] bool is_wanted(const std::string& name, const std::vector<std::string>& wanted);

}  // namespace sessionblocks::bench
