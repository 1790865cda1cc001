#include "oracle.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <span>
#include <vector>

#include "failure.hpp"
#include "values.hpp"
#include "worker.hpp"
#include "zipf.hpp"

namespace sessionblocks::bench {
namespace {

constexpr std::size_t kRequests = 64;  // of a window
constexpr std::uint32_t kLongestTtlMs = 7U * 86'400'000U;

class ClusterRun {
 public:
  ClusterRun(const WorkerJob& job, Client& client)
      : job_(job),
        cluster_(*job.one.cluster),
        client_(client),
        clock_(*job.clock),
        step_ms_(job.peer->abilities().expiry_step_ms),
        oracle_(step_ms_),
        random_(mixed(job.effort.seed)),
        zipf_(job.one.data.entries, cluster_.zipf_alpha),
        operations_(kRequests),
        keys_(kRequests),
        key_bytes_(kRequests * job.one.data.key_bytes),
        values_(kRequests * job.one.data.value_bytes) {}

  // `report` is null while it warms up.
  void requests(double seconds, WorkerReport* report, bool one_by_one) {
    const std::uint64_t begun = clock_.now();
    const std::uint64_t end = begun + clock_.ticks(seconds * 1e9);
    std::uint64_t timed = 0;
    std::uint64_t count = 0;
    while (clock_.now() < end) {
      const std::size_t size = one_by_one ? std::max<std::size_t>(client_.depth(), 1) : kRequests;
      const std::span<Operation> operations(operations_.data(), size);
      for (std::size_t at = 0; at < size; ++at) make_request(at);
      client_.prepare(operations);
      const double before_ms = now_ms();
      const std::uint64_t before = clock_.now();
      client_.run(operations);
      const std::uint64_t took = clock_.now() - before;
      const double after_ms = now_ms();
      timed += took;
      count += size;
      for (std::size_t at = 0; at < size; ++at) check(at, before_ms, after_ms, report);
      if (report == nullptr || !one_by_one) continue;
      for (std::size_t at = 0; at < size; ++at) {
        report->latency_ns.record(static_cast<std::uint64_t>(clock_.ns(took) + 0.5));
      }
    }
    if (report == nullptr || one_by_one) return;
    report->operations = count;
    report->timed_ns = clock_.ns(timed);
    report->wall_ns = clock_.ns(clock_.now() - begun);
  }

 private:
  [[nodiscard]] static double now_ms() { return static_cast<double>(Clock::monotonic_ns()) / 1e6; }

  [[nodiscard]] std::uint32_t draw_ttl_ms() {
    if (cluster_.lifetimes.empty() || step_ms_ == 0) return 0;
    double at = unit(random_);
    double ms = cluster_.lifetimes.back().ms;
    for (const auto& lifetime : cluster_.lifetimes) {
      if (at < lifetime.share) {
        ms = lifetime.ms;
        break;
      }
      at -= lifetime.share;
    }
    // A second here stands for hours there; a store keeps time in steps of its own.
    const double scaled = ms / (3'600 * job_.effort.hours_a_second);
    // Not shorter than three, or the oracle could never be sure of a hit.
    const double steps = std::max(3.0, std::ceil(scaled / step_ms_));
    return static_cast<std::uint32_t>(std::min<double>(steps * step_ms_, kLongestTtlMs));
  }

  void make_request(std::size_t at) {
    Operation& operation = operations_[at];
    const double kind = unit(random_);
    std::uint64_t key = mixed(zipf_(random_)) % job_.one.data.entries;
    operation.kind = kind < cluster_.reads                     ? OpKind::get
                     : kind < cluster_.reads + cluster_.writes ? OpKind::put
                                                               : OpKind::erase;
    if (!missed_.empty()) {
      operation.kind = OpKind::put;
      key = missed_.front();
      missed_.pop_front();
    }
    const auto& data = job_.one.data;
    const std::span<char> text(key_bytes_.data() + at * data.key_bytes, data.key_bytes);
    write_key(text, key);
    keys_[at] = key;
    operation.key = {text.data(), text.size()};
    operation.bytes = {values_.data() + at * data.value_bytes, data.value_bytes};
    operation.outcome = Outcome::none;
    operation.copied_bytes = 0;
    operation.ttl_ms = 0;
    if (operation.kind == OpKind::put) {
      write_value(operation.bytes, key, ++version_);
      operation.ttl_ms = draw_ttl_ms();
    } else {
      std::fill(operation.bytes.begin(), operation.bytes.end(), std::byte{0xA5});
    }
  }

  void check(std::size_t at, double before_ms, double after_ms, WorkerReport* report) {
    const Operation& operation = operations_[at];
    const std::uint64_t key = keys_[at];
    const std::string which =
        std::string(name_of(operation.kind)) + " of key " + std::to_string(key);
    const bool is_absent = operation.outcome == Outcome::absent;
    if (!is_absent && operation.outcome != Outcome::done) give_up(which + " failed");
    if (operation.kind == OpKind::put) {
      oracle_.put(key, operation.ttl_ms, before_ms, after_ms);
      return;
    }
    const Oracle::Answer answer = oracle_.get(key, before_ms, after_ms);
    if (is_absent && answer == Oracle::Answer::hit) give_up(which + ": absent, must be there");
    if (!is_absent && answer == Oracle::Answer::miss) give_up(which + ": there, must be absent");
    if (operation.kind == OpKind::erase) {
      oracle_.erase(key);
      return;
    }
    if (is_absent) missed_.push_back(key);
    if (!is_absent &&
        (operation.copied_bytes != operation.bytes.size() || !is_value_of(operation.bytes, key))) {
      give_up(which + " copied wrong bytes");
    }
    if (report == nullptr) return;
    ++report->reads;
    report->hits += is_absent ? 0 : 1;
    report->expected_hits += answer == Oracle::Answer::hit ? 1 : 0;
    report->undecided += answer == Oracle::Answer::either ? 1 : 0;
  }

  const WorkerJob& job_;
  const Cluster& cluster_;
  Client& client_;
  const Clock& clock_;
  std::uint32_t step_ms_;
  Oracle oracle_;
  Random random_;
  Zipf zipf_;
  std::uint32_t version_ = 0;
  std::deque<std::uint64_t> missed_;
  std::vector<Operation> operations_;
  std::vector<std::uint64_t> keys_;
  std::vector<char> key_bytes_;
  std::vector<std::byte> values_;
};

}  // namespace

void run_with_oracle(const WorkerJob& job, Client& client) {
  ClusterRun run(job, client);
  run.requests(job.effort.seconds, nullptr, false);  // fills the cache: compulsory misses
  run.requests(job.effort.seconds, job.report, false);
  run.requests(job.effort.seconds / 2, job.report, true);
}

}  // namespace sessionblocks::bench
