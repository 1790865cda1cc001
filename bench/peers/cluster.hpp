// The published statistics of 54 production caches of Twitter, a line each:
// https://github.com/twitter/cache-trace, stat/2020Mar.md as CSV, CC-BY 4.0 (Yang, Yue, Rashmi: "A
// large scale analysis of hundreds of in-memory cache clusters at Twitter", OSDI 2020).
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

namespace sessionblocks::bench {

struct Cluster {
  struct Lifetime {
    double ms = 0;
    double share = 0;
  };
  std::string name;  // "cluster7"
  std::uint64_t key_bytes = 0;
  std::uint64_t value_bytes = 0;
  double zipf_alpha = 0;
  std::vector<Lifetime> lifetimes;  // shares add up to 1
  double reads = 0;                 // shares of all operations
  double writes = 0;                // set, add, cas, incr, append and prepend
  double erases = 0;
};

struct ClusterTable {
  std::vector<Cluster> clusters;
  std::vector<std::string> left_out;  // "cluster5: no operations"
};

// Throws UsageError, which names the line, when the text is not such a table.
[[nodiscard]] ClusterTable read_clusters(std::istream& text);
[[nodiscard]] ClusterTable read_clusters_file(const std::string& path);

}  // namespace sessionblocks::bench
