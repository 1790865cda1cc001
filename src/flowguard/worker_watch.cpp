#include "flowguard/worker_watch.hpp"

#include <functional>
#include <utility>

namespace sessionblocks::flowguard {
namespace {

constexpr double kMinute = 60;

bool is_refusal(Errc code) noexcept {
  return code == Errc::denied || code == Errc::not_permitted || code == Errc::read_only ||
         code == Errc::sealed || code == Errc::quarantined || code == Errc::wiped;
}

bool is_misused_reference(Errc code) noexcept {
  return code >= Errc::reference_forged && code <= Errc::reference_revoked;
}

}  // namespace

void WorkerWatch::answered(const director::Asking& asking, Errc code, std::uint64_t now_ms) {
  constexpr std::uint64_t kMinuteMs = 60'000;
  constexpr std::size_t kMostNames = 4'096;
  ++new_requests_;
  if (is_refusal(code)) ++new_refused_;
  if (is_misused_reference(code)) ++new_misused_;
  // A name that is there for others is as good a guess as one that is not.
  const bool is_open = asking.op == "open" || asking.op == "fork";
  const bool is_in_vain = code == Errc::no_such_block || code == Errc::no_such_scope ||
                          (is_open && code == Errc::denied);
  if (!is_in_vain) return;
  if (now_ms - probed_since_ms_ > kMinuteMs || probed_.size() > kMostNames) {
    probed_.clear();
    probed_since_ms_ = now_ms;
  }
  if (probed_.insert(std::hash<std::string_view>{}(asking.name)).second) ++new_probes_;
}

WorkerWatch::Counted WorkerWatch::take_counted(const director::Worker& worker, unsigned open) {
  const director::WorkerMemory memory = worker.memory();
  const std::uint32_t lanes = worker.header()->lanes_used.load(std::memory_order_acquire);
  Counted sum;
  for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
    if ((lanes >> lane & 1U) == 0) continue;
    const auto& counters = reinterpret_cast<const layout::OpenCounters*>(
        memory.segment.data() + layout::lane_at(lane, memory.ring_records) +
        layout::kLaneHeadBytes)[open];
    sum.reads += counters.reads.load(std::memory_order_relaxed);
    sum.writes += counters.writes.load(std::memory_order_relaxed);
    sum.refused += counters.refused.load(std::memory_order_relaxed);
  }
  const Counted before = std::exchange(before_[open], sum);
  const auto more = [](std::uint64_t now, std::uint64_t then) {
    return now > then ? now - then : 0;
  };
  return {more(sum.reads, before.reads), more(sum.writes, before.writes),
          more(sum.refused, before.refused)};
}

Measures WorkerWatch::look(const director::Worker& worker, const Turn& turn) {
  refused_now_ = turn.refused + std::exchange(new_refused_, 0);
  reads_.add(static_cast<double>(turn.use.reads), turn.passed_s);
  writes_.add(static_cast<double>(turn.use.writes), turn.passed_s);
  requests_.add(static_cast<double>(std::exchange(new_requests_, 0)), turn.passed_s);
  refused_.add(static_cast<double>(refused_now_), turn.passed_s);
  probes_.add(static_cast<double>(std::exchange(new_probes_, 0)), turn.passed_s);
  misused_.add(static_cast<double>(std::exchange(new_misused_, 0)), turn.passed_s);
  Measures made;
  made[Metric::worker_reads_per_s] = reads_.per_s();
  made[Metric::worker_writes_per_s] = writes_.per_s();
  made[Metric::worker_requests_per_s] = requests_.per_s();
  made[Metric::worker_refused_per_min] = refused_.per_s() * kMinute;
  made[Metric::worker_probes_per_min] = probes_.per_s() * kMinute;
  made[Metric::worker_misused_references_per_min] = misused_.per_s() * kMinute;
  made[Metric::worker_forgeries] = forgeries();
  made[Metric::worker_operation_ms] = static_cast<double>(lanes_.operation_ms(worker, turn.now_ms));
  made[Metric::worker_hazard_ms] = static_cast<double>(std::exchange(hazard_ms_, 0));
  made[Metric::worker_stopped_ms] = static_cast<double>(lanes_.stopped_ms(worker, turn.now_ms));
  return made;
}

}  // namespace sessionblocks::flowguard
