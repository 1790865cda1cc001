#include <algorithm>

#include "case.hpp"
#include "values.hpp"

namespace sessionblocks::bench {
namespace {

constexpr std::uint64_t kMostDataBytes = std::uint64_t{4} << 30U;
constexpr std::uint64_t kMostClusterBytes = std::uint64_t{256} << 20U;
constexpr std::uint64_t kMemoryEntries = 1'000'000;
constexpr std::uint64_t kLoadEntries = 131'072;
constexpr std::uint64_t kBurstOperations = 600'000;

struct Sizes {
  std::vector<std::uint64_t> entries;
  std::vector<std::uint64_t> value_bytes;
  std::vector<unsigned> reads_percent;
  std::vector<unsigned> processes;
  std::uint64_t ycsb_entries;
  std::vector<std::string> clusters;  // empty: all
  double sustained_seconds;
  std::vector<unsigned> blocks;
  std::uint64_t load_eighths;  // up to; below 4: none
};

std::string number(std::uint64_t value) {
  return std::to_string(value);
}

Mix reads_and_updates(unsigned percent) {
  Mix mix;
  mix.reads = percent * 10;
  mix.updates = 1'000 - mix.reads;
  return mix;
}

std::string op_of(unsigned reads_percent) {
  if (reads_percent == 100) return "get";
  return reads_percent == 0 ? "put" : "mixed";
}

void add(Cases& to, const Sizes& sizes, Case one) {
  if (one.data.data_bytes() > kMostDataBytes) {
    to.skipped.push_back({one.workload, "more than 4 GiB of data"});
    return;
  }
  for (const unsigned processes : sizes.processes) {
    one.processes = processes;
    to.cases.push_back(one);
  }
}

// One key for all processes, and one for each.
void add_single_keys(Cases& to, const Sizes& sizes) {
  for (const Spread spread : {Spread::hot, Spread::own}) {
    for (const std::uint64_t value_bytes : sizes.value_bytes) {
      for (const unsigned percent : {100U, 0U}) {
        Case one;
        one.data.value_bytes = value_bytes;
        one.spread = spread;
        one.mix = reads_and_updates(percent);
        one.op = op_of(percent);
        one.workload = std::string(spread == Spread::hot ? "hot" : "own") + "/" + one.op +
                       "/value:" + number(value_bytes);
        add(to, sizes, one);
      }
    }
  }
}

void add_counters(Cases& to, const Sizes& sizes) {
  for (const Spread spread : {Spread::hot, Spread::own, Spread::uniform}) {
    Case one;
    one.workload = std::string("counter/") + (spread == Spread::hot   ? "contended"
                                              : spread == Spread::own ? "own"
                                                                      : "spread");
    one.op = "increment";
    one.data.value_bytes = 8;
    one.data.counters = true;
    one.spread = spread;
    one.mix = {0, 0, 0, 0, 1'000};
    add(to, sizes, one);
  }
}

void add_random(Cases& to, const Sizes& sizes) {
  for (const std::uint64_t entries : sizes.entries) {
    for (const std::uint64_t value_bytes : sizes.value_bytes) {
      Case one;
      one.data.entries = entries;
      one.data.value_bytes = value_bytes;
      one.spread = Spread::uniform;
      const std::string place = "random/keys:" + number(entries) + "/value:" + number(value_bytes);
      if (one.data.data_bytes() > kMostDataBytes) {
        to.skipped.push_back({place, "more than 4 GiB of data"});
        continue;
      }
      for (const unsigned percent : sizes.reads_percent) {
        one.mix = reads_and_updates(percent);
        one.op = op_of(percent);
        one.workload = place + "/reads:" + number(percent);
        add(to, sizes, one);
      }
    }
  }
}

// The core workloads as YCSB publishes them, records of 1,000 bytes; E scans, which no peer shares.
void add_ycsb(Cases& to, const Sizes& sizes) {
  struct Core {
    const char* name;
    Spread spread;
    Mix mix;
  };
  const Core cores[] = {{"A", Spread::zipf, {500, 500}},
                        {"B", Spread::zipf, {950, 50}},
                        {"C", Spread::zipf, {1'000}},
                        {"D", Spread::latest, {950, 0, 50}},
                        {"F", Spread::zipf, {500, 0, 0, 500}}};
  for (const Core& core : cores) {
    Case one;
    one.workload = std::string("ycsb/") + core.name;
    one.op = one.workload == "ycsb/C" ? "get" : "mixed";
    one.data.entries = sizes.ycsb_entries;
    one.data.key_bytes = 24;
    one.data.value_bytes = 1'000;
    one.spread = core.spread;
    one.mix = core.mix;
    add(to, sizes, one);
  }
}

void add_clusters(Cases& to, const Sizes& sizes, const std::vector<Cluster>& clusters) {
  for (const Cluster& cluster : clusters) {
    const auto& wanted = sizes.clusters;
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), cluster.name) == wanted.end()) {
      continue;
    }
    Case one;
    one.workload = "twitter/" + cluster.name;
    one.op = "mixed";
    one.cluster = cluster;
    one.data.key_bytes = std::max<std::uint64_t>(cluster.key_bytes, kShortestKeyBytes);
    one.data.value_bytes = std::max<std::uint64_t>(cluster.value_bytes, kShortestValueBytes);
    one.data.entries = std::clamp<std::uint64_t>(
        kMostClusterBytes / (one.data.key_bytes + one.data.value_bytes), 1'000, 100'000);
    one.data.expires = true;
    to.cases.push_back(one);  // the oracle follows one process
  }
}

// A burst fits into the ring of 1,048,576 records; a sustained run is as fast as it is drained.
void add_audit(Cases& to, const Sizes& sizes) {
  for (const unsigned percent : {100U, 0U}) {
    Case one;
    one.op = op_of(percent);
    one.mix = reads_and_updates(percent);
    one.study = "audit";
    one.workload = "audit/burst/" + one.op;
    one.most_operations = kBurstOperations;
    to.cases.push_back(one);
    one.workload = "audit/sustained/" + one.op;
    one.most_operations = 0;
    one.least_seconds = sizes.sustained_seconds;
    to.cases.push_back(one);
  }
}

// What it costs to hold a checkpoint, and to be in the sandbox.
void add_conditions(Cases& to) {
  for (const std::string study : {"checkpoint", "sandbox"}) {
    for (const unsigned percent : {100U, 0U}) {
      Case one;
      one.op = op_of(percent);
      one.mix = reads_and_updates(percent);
      one.data.entries = 100'000;
      one.spread = Spread::uniform;
      one.study = study;
      one.workload = study + "/" + one.op;
      to.cases.push_back(one);
    }
  }
}

void add_deaths(Cases& to) {
  for (const Deaths deaths : {Deaths::spared, Deaths::nearby}) {
    for (const unsigned percent : {100U, 0U}) {
      Case one;
      one.op = op_of(percent);
      one.mix = reads_and_updates(percent);
      one.spread = Spread::uniform;
      one.deaths = deaths;
      one.workload = std::string("death/") +
                     (deaths == Deaths::spared ? "writer-lives/" : "writer-dies/") + one.op;
      to.cases.push_back(one);
    }
  }
}

void add_blocks(Cases& to, const Sizes& sizes) {
  for (const unsigned blocks : sizes.blocks) {
    Case one;
    one.op = "get";
    one.data.entries = 10'000;
    one.data.blocks = blocks;
    one.spread = Spread::uniform;
    one.study = "blocks";
    one.workload = "blocks/blocks:" + number(blocks);
    to.cases.push_back(one);
  }
}

// From half a table to more than one, in eighths: where it grows, and how full it gets, shows.
void add_load(Cases& to, const Sizes& sizes) {
  for (std::uint64_t eighths = 4; eighths <= sizes.load_eighths; ++eighths) {
    for (const unsigned percent : {100U, 0U}) {
      Case one;
      one.op = op_of(percent);
      one.mix = reads_and_updates(percent);
      one.data.entries = kLoadEntries / 8 * eighths;
      one.spread = Spread::uniform;
      one.workload = "load/keys:" + number(one.data.entries) + "/" + one.op;
      to.cases.push_back(one);
    }
  }
}

void add_memory(Cases& to, const Sizes& sizes) {
  for (const std::uint64_t value_bytes : sizes.value_bytes) {
    Case one;
    one.workload = "memory/keys:" + number(kMemoryEntries) + "/value:" + number(value_bytes);
    one.op = "memory";
    one.data.entries = kMemoryEntries;
    one.data.value_bytes = value_bytes;
    one.spread = Spread::uniform;
    one.mix = reads_and_updates(0);
    one.measures_memory = true;
    if (one.data.data_bytes() > kMostDataBytes) {
      to.skipped.push_back({one.workload, "more than 4 GiB of data"});
    } else {
      to.cases.push_back(one);
    }
  }
}

Cases cases_of(const Sizes& sizes, const std::vector<Cluster>& clusters) {
  Cases cases;
  add_single_keys(cases, sizes);
  add_counters(cases, sizes);
  add_random(cases, sizes);
  add_ycsb(cases, sizes);
  add_clusters(cases, sizes, clusters);
  add_load(cases, sizes);
  add_audit(cases, sizes);
  add_conditions(cases);
  add_deaths(cases);
  add_blocks(cases, sizes);
  add_memory(cases, sizes);
  return cases;
}

}  // namespace

Cases all_cases(const std::vector<Cluster>& clusters) {
  return cases_of({{1'000, 100'000, 5'000'000},
                   {8, 64, 1'024, 65'536},
                   {100, 95, 50, 0},
                   {1, 2, 4},
                   1'000'000,
                   {},
                   10,
                   {1, 10, 100, 400},
                   18},
                  clusters);
}

Cases quick_cases(const std::vector<Cluster>& clusters) {
  return cases_of(
      {{100'000}, {64}, {100, 50}, {1, 2}, 10'000, {"cluster4", "cluster52"}, 2, {1, 100}, 0},
      clusters);
}

bool is_wanted(const std::string& name, const std::vector<std::string>& wanted) {
  if (wanted.empty()) return true;
  return std::any_of(wanted.begin(), wanted.end(), [&name](const std::string& one) {
    return name == one || (name.size() > one.size() && name.compare(0, one.size(), one) == 0 &&
                           name[one.size()] == '/');
  });
}

}  // namespace sessionblocks::bench
