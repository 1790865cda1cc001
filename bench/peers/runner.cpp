#include "runner.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <span>

#include "child.hpp"
#include "failure.hpp"
#include "neighbour.hpp"
#include "stage.hpp"

namespace sessionblocks::bench {
namespace {

// Memory that children share with the harness.
class Reports {
 public:
  explicit Reports(unsigned count) : count_(count) {
    void* const at = ::mmap(nullptr, count * sizeof(WorkerReport), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) give_up_errno("map memory for the reports");
    first_ = static_cast<WorkerReport*>(at);
    for (unsigned i = 0; i < count; ++i) new (first_ + i) WorkerReport();
  }
  ~Reports() { ::munmap(first_, count_ * sizeof(WorkerReport)); }
  Reports(const Reports&) = delete;
  Reports& operator=(const Reports&) = delete;
  [[nodiscard]] std::span<WorkerReport> all() const { return {first_, count_}; }

 private:
  WorkerReport* first_ = nullptr;
  unsigned count_;
};

void start_together(std::vector<Child>& workers) {
  for (Child& worker : workers) static_cast<void>(worker.expect());
  for (Child& worker : workers) worker.send("go");
}

// Returns how many deaths there were beside.
std::uint64_t measure(Stage& stage, const RunPlan& plan, const Case& one,
                      std::span<WorkerReport> reports) {
  std::vector<Child> workers;
  workers.reserve(one.processes);
  for (unsigned process = 0; process < one.processes; ++process) {
    WorkerJob job;
    job.peer = &stage.peer();
    job.address = stage.address();
    job.one = one;
    job.process = process;
    job.effort = plan.effort;
    job.clock = plan.clock;
    job.report = &reports[process];
    workers.emplace_back(Child::End::killed,
                         [&job](Channel& channel) { run_worker(job, channel); });
  }
  Neighbour neighbour(stage, one, plan.effort.seed);
  start_together(workers);  // throughput
  neighbour.live_and_die_until_ready(workers.front());
  start_together(workers);  // single operations
  neighbour.live_and_die_until_ready(workers.front());
  for (Child& worker : workers) worker.finish();
  return neighbour.deaths();
}

void sum_up(std::span<const WorkerReport> reports, const RunPlan& plan, Row& row) {
  double timed_ns = 0;
  double wall_ns = 0;
  double cpu_ns = 0;
  WorkerReport cache;
  for (const WorkerReport& report : reports) {
    row.operations += report.operations;
    timed_ns += report.timed_ns;
    wall_ns += report.wall_ns;
    cpu_ns += report.cpu_ns;
    const double over_ns = plan.effort.rate > 0 ? report.wall_ns : report.timed_ns;
    if (over_ns > 0) row.ops_per_s += static_cast<double>(report.operations) * 1e9 / over_ns;
    row.latency_ns.add(report.latency_ns);
    cache.reads += report.reads;
    cache.hits += report.hits;
    cache.expected_hits += report.expected_hits;
    cache.undecided += report.undecided;
  }
  if (row.operations == 0) give_up("no operation was done in the time given; use --seconds");
  const auto operations = static_cast<double>(row.operations);
  row.real_ns = timed_ns / operations;
  row.cpu_ns = cpu_ns / operations;
  row.busy_share = timed_ns / wall_ns;
  row.rate = plan.effort.rate;
  if (cache.reads == 0) return;
  const auto reads = static_cast<double>(cache.reads);
  row.hit_ratio = static_cast<double>(cache.hits) / reads;
  row.expected_hit_ratio = static_cast<double>(cache.expected_hits) / reads;
  row.undecided_ratio = static_cast<double>(cache.undecided) / reads;
}

Row row_of(const Peer& peer, const Case& one, unsigned repetition) {
  Row row;
  row.workload = one.workload;
  row.op = one.op;
  row.peer = peer.name();
  row.promise = peer.promise();
  row.processes = one.processes;
  row.keys = one.data.entries;
  row.value_bytes = one.data.value_bytes;
  row.repetition = repetition;
  row.blocks = one.data.blocks;
  return row;
}

void run_case(Stage& stage, const RunPlan& plan, const Case& one, Row& row) {
  if (one.measures_memory) {
    stage.overwrite_all(plan.effort.seed);
    row.bytes_per_entry =
        static_cast<double>(stage.memory_bytes()) / static_cast<double>(one.data.entries);
    return;
  }
  const Reports reports(one.processes);
  row.deaths = measure(stage, plan, one, reports.all());
  sum_up(reports.all(), plan, row);
  if (!one.data.counters || stage.peer().abilities().in_process) return;
  std::uint64_t increments = 0;
  for (const WorkerReport& report : reports.all()) increments += report.increments;
  stage.check_counters(increments);
}

// Those of `cases` that follow `first` on the same data. A cache begins empty each time, and what
// was inserted stays.
std::vector<const Case*> sharing(const std::vector<Case>& cases, std::size_t first) {
  std::vector<const Case*> found;
  const auto stands_alone = [](const Case& one) {
    return one.cluster || one.measures_memory || one.spread == Spread::latest ||
           !one.study.empty() || one.deaths != Deaths::none;
  };
  for (std::size_t i = first; i < cases.size(); ++i) {
    const bool shares = !stands_alone(cases[i]) && !stands_alone(cases[first]) &&
                        cases[i].data == cases[first].data;
    if (i != first && !shares) break;
    found.push_back(&cases[i]);
  }
  return found;
}

void run_group(const RunPlan& plan, const Peer& peer, const std::vector<const Case*>& group,
               unsigned repetition, const std::function<void(const Row&)>& done) {
  std::optional<Stage> stage;
  for (const Case* one : group) {
    if (!unable(peer, *one).empty()) continue;
    auto row = std::make_unique<Row>(row_of(peer, *one, repetition));
    try {
      if (!stage) {
        stage.emplace(peer, one->data);
        if (!one->cluster && !peer.abilities().in_process) stage->load_all();
      }
      run_case(*stage, plan, *one, *row);
    } catch (const Interrupted&) {
      throw;
    } catch (const std::exception& error) {
      row->error = error.what();
      stage.reset();  // the next case starts afresh
    }
    done(*row);
  }
}

}  // namespace

std::string unable(const Peer& peer, const Case& one) {
  const Abilities abilities = peer.abilities();
  const auto& studies = abilities.studies;
  const bool is_asked = std::find(studies.begin(), studies.end(), one.study) != studies.end();
  if (one.study.empty() ? abilities.only_studies : !is_asked) return "is not asked this";
  if (one.deaths != Deaths::none && abilities.in_process) return "shares nothing between processes";
  if (one.deaths == Deaths::nearby && !abilities.survives_deaths) {
    return "a death inside its lock ends it for all";
  }
  if (one.processes > abilities.max_processes) return "shares nothing between processes";
  if (one.data.value_bytes > abilities.max_value_bytes) return "its values are smaller";
  if (one.data.key_bytes > abilities.max_key_bytes) return "its keys are shorter";
  if (abilities.only_counts && !one.data.counters) return "has nothing but counters";
  if (one.data.counters && !abilities.counts) return "has no counters";
  if (one.mix.modifies > 0 && abilities.pipelines) return "a write waits for its read";
  if (one.measures_memory && !abilities.measures_memory) return "is counted by its first variant";
  return {};
}

void run_all(const RunPlan& plan, const std::function<void(const Row&)>& done) {
  for (unsigned repetition = 0; repetition < plan.repetitions; ++repetition) {
    for (std::size_t first = 0; first < plan.cases.size();) {
      const auto group = sharing(plan.cases, first);
      for (const Peer* peer : plan.peers) run_group(plan, *peer, group, repetition, done);
      first += group.size();
    }
  }
}

}  // namespace sessionblocks::bench
