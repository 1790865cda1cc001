#include "worker.hpp"

#include <algorithm>
#include <ctime>

#include "failure.hpp"
#include "oracle.hpp"
#include "values.hpp"
#include "window.hpp"

namespace sessionblocks::bench {
namespace {

constexpr double kWarmUpShare = 0.1;
// A counter is incremented by the same operations again and again: what happens between two windows
// would else leave it to the other processes for half of the time.
constexpr unsigned kRunsOfCounters = 16;

double cpu_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

void wait_for_start(Channel& channel) {
  channel.send("ready");
  if (channel.receive().empty()) give_up("the harness is gone");
}

class Run {
 public:
  Run(const WorkerJob& job, Client& client)
      : job_(job),
        clock_(*job.clock),
        client_(client),
        window_(job.one, job.process, make_schedule(job.one, job.process, job.effort.seed)),
        steps_(Window::steps_for(job.one.data.value_bytes)) {}

  // Windows of operations, each timed as one; what is checked and made is not in the time.
  void throughput(double seconds, std::uint64_t most, WorkerReport& report) {
    const unsigned runs = job_.one.data.counters ? kRunsOfCounters : 1;
    const double cpu_before = cpu_ns();
    const std::uint64_t begun = clock_.now();
    const std::uint64_t end = begun + clock_.ticks(seconds * 1e9);
    std::uint64_t timed = 0;
    std::uint64_t after = begun;
    while (after < end && (most == 0 || report.operations < most)) {
      timed += one_window(steps_, Spoil::ends, after, runs);
      report.operations += window_.steps_filled() * runs;
    }
    report.timed_ns += clock_.ns(timed);
    report.wall_ns += clock_.ns(clock_.now() - begun);
    report.cpu_ns += cpu_ns() - cpu_before;
  }

  // One at a time; a peer that pipelines, one pipeline at a time.
  void latency(double seconds, Histogram& histogram) {
    const std::uint64_t end = clock_.now() + clock_.ticks(seconds * 1e9);
    std::uint64_t after = 0;
    while (after < end) {
      const std::uint64_t took = one_window(client_.depth(), Spoil::all, after);
      const auto took_ns = static_cast<std::uint64_t>(clock_.ns(took) + 0.5);
      for (std::uint64_t i = 0; i < window_.steps_filled(); ++i) histogram.record(took_ns);
    }
  }

  // Each operation has its time to begin, whether or not the one before is done: what waits in
  // front of a slow one is counted as slow, too.
  void open_loop(double seconds, WorkerReport& report) {
    const double a_second = job_.effort.rate / job_.one.processes;
    const double interval = static_cast<double>(clock_.ticks(1e9 / a_second));
    const double cpu_before = cpu_ns();
    const std::uint64_t begun = clock_.now();
    const std::uint64_t end = begun + clock_.ticks(seconds * 1e9);
    std::uint64_t after = begun;
    std::uint64_t timed = 0;
    for (std::uint64_t i = 0; after < end; ++i) {
      const auto due = begun + static_cast<std::uint64_t>(static_cast<double>(i) * interval);
      const auto operations = window_.fill(1, Spoil::all);
      client_.prepare(operations);
      std::uint64_t before = clock_.now();
      while (before < due) before = clock_.now();
      if (before >= end) break;
      client_.run(operations);
      after = clock_.now();
      window_.check();
      timed += after - before;
      ++report.operations;
      report.latency_ns.record(static_cast<std::uint64_t>(clock_.ns(after - due) + 0.5));
    }
    report.timed_ns += clock_.ns(timed);
    report.wall_ns += clock_.ns(clock_.now() - begun);
    report.cpu_ns += cpu_ns() - cpu_before;
  }

  [[nodiscard]] std::uint64_t increments() const { return window_.increments(); }

 private:
  // Returns its ticks.
  std::uint64_t one_window(std::size_t steps, Spoil spoil, std::uint64_t& after,
                           unsigned runs = 1) {
    const auto operations = window_.fill(steps, spoil);
    client_.prepare(operations);
    const std::uint64_t before = clock_.now();
    for (unsigned run = 0; run < runs; ++run) client_.run(operations);
    after = clock_.now();
    window_.check(runs);
    return after - before;
  }

  const WorkerJob& job_;
  const Clock& clock_;
  Client& client_;
  Window window_;
  std::size_t steps_;
};

}  // namespace

void load(Client& client, const Dataset& data) {
  constexpr std::size_t kBatch = 256;
  std::vector<char> keys(kBatch * data.key_bytes);
  std::vector<std::byte> values(kBatch * data.value_bytes);
  std::vector<Operation> operations;
  for (std::uint64_t key = 0; key < data.entries;) {
    operations.clear();
    for (; operations.size() < kBatch && key < data.entries; ++key) {
      Operation operation;
      operation.kind = data.counters ? OpKind::reset : OpKind::put;
      const std::span<char> text(keys.data() + operations.size() * data.key_bytes, data.key_bytes);
      operation.bytes = {values.data() + operations.size() * data.value_bytes, data.value_bytes};
      write_key(text, key);
      write_value(operation.bytes, key, 1);
      operation.key = {text.data(), text.size()};
      operations.push_back(operation);
    }
    client.prepare(operations);
    client.load(operations);
    for (const Operation& operation : operations) {
      if (operation.outcome != Outcome::done) give_up("an entry could not be loaded");
    }
  }
}

void run_worker(const WorkerJob& job, Channel& channel) {
  const auto client = job.peer->connect(job.address);
  WorkerReport& report = *job.report;
  if (job.one.cluster) {
    wait_for_start(channel);
    run_with_oracle(job, *client);
    wait_for_start(channel);
    return;
  }
  if (job.peer->abilities().in_process) load(*client, job.one.data);
  Run run(job, *client);
  wait_for_start(channel);
  const double seconds = job.effort.seconds;
  const auto ignored = std::make_unique<WorkerReport>();
  // A burst begins with an empty ring.
  const std::uint64_t most = job.one.most_operations;
  if (most == 0) run.throughput(seconds * kWarmUpShare, 0, *ignored);
  if (job.effort.rate > 0) {
    run.open_loop(seconds, report);
    wait_for_start(channel);
  } else {
    run.throughput(std::max(seconds, job.one.least_seconds), most, report);
    wait_for_start(channel);
    run.latency(seconds / 2, report.latency_ns);
  }
  report.increments = run.increments();
}

}  // namespace sessionblocks::bench
