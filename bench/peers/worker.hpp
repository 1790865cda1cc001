// A worker process's part of a case: connects, works, measures.
#pragma once

#include <cstdint>

#include "case.hpp"
#include "child.hpp"
#include "clock.hpp"
#include "histogram.hpp"
#include "peer.hpp"

namespace sessionblocks::bench {

struct Effort {
  double seconds = 1;  // of each pass
  double rate = 0;     // operations a second of all processes; 0: as fast as they go
  std::uint64_t seed = 1;
  double hours_a_second = 1;  // twitter: how fast lifetimes pass
};

// In memory that the worker shares with the harness. Written by the worker, read after its end.
struct WorkerReport {
  std::uint64_t operations = 0;  // of the throughput pass
  double timed_ns = 0;           // in the peer's calls
  double wall_ns = 0;            // with what was made and checked between them
  double cpu_ns = 0;
  std::uint64_t increments = 0;  // all, warming up included
  std::uint64_t reads = 0;       // twitter
  std::uint64_t hits = 0;
  std::uint64_t expected_hits = 0;  // by the oracle, where time leaves no doubt
  std::uint64_t undecided = 0;      // gets too near to an expiry to say
  Histogram latency_ns;
};

struct WorkerJob {
  const Peer* peer = nullptr;
  std::string address;
  Case one;
  unsigned process = 0;
  Effort effort;
  const Clock* clock = nullptr;
  WorkerReport* report = nullptr;
};

// Sends "ready" and waits for an answer before each of its two passes.
void run_worker(const WorkerJob& job, Channel& channel);

// Puts every entry of the dataset. In-process peers do so in each worker.
void load(Client& client, const Dataset& data);

}  // namespace sessionblocks::bench
