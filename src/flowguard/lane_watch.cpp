#include "flowguard/lane_watch.hpp"

#include <algorithm>
#include <bit>

#include "platform/proc_file.hpp"

namespace sessionblocks::flowguard {

std::uint64_t LaneWatch::operation_ms(const director::Worker& worker, std::uint64_t now_ms) {
  if (!worker.segment) return 0;
  std::uint64_t longest = 0;
  // Only lanes that somebody has used have memory for sure, and heads always do.
  for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
    const auto& head = *reinterpret_cast<const layout::LaneHead*>(
        worker.segment->memory().data() + layout::lane_at(lane, worker.ring_records));
    const std::uint64_t done = head.intent.done.load(std::memory_order_relaxed);
    const std::uint64_t op = head.intent.op.load(std::memory_order_acquire);
    longest = std::max(longest, operations_.at(lane).look(op > done ? op : 0, now_ms));
  }
  return longest;
}

std::uint64_t LaneWatch::stopped_ms(const director::Worker& worker, std::uint64_t now_ms) {
  constexpr int kState = 3;
  const auto line =
      platform::read_proc_file("/proc/" + std::to_string(worker.process.pid) + "/stat");
  const auto state = line ? platform::stat_text(*line, kState) : std::nullopt;
  const bool is_stopped = state && (*state == "T" || *state == "t");
  return stopped_.look(is_stopped ? 1 : 0, now_ms);
}

std::map<WorkerId, std::uint64_t> HazardWatch::look(const layout::ReadersSegment& readers,
                                                    std::uint64_t now_ms) {
  std::map<WorkerId, std::uint64_t> held;
  const std::uint64_t count = std::min<std::uint64_t>(
      readers.hazard_watermark.load(std::memory_order_acquire), layout::kHazards);
  std::map<std::uint64_t, Seen> now;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t node = readers.hazards[i].node.load(std::memory_order_acquire);
    const std::uint64_t owner = readers.hazards[i].owner.load(std::memory_order_relaxed);
    if (node == 0 || owner == 0) continue;
    const auto before = seen_.find(i);
    const bool is_same =
        before != seen_.end() && before->second.owner == owner && before->second.node == node;
    const Seen seen{owner, node, is_same ? before->second.since_ms : now_ms};
    auto& longest = held[worker_of(static_cast<OwnerId>(static_cast<std::uint32_t>(owner)))];
    longest = std::max(longest, now_ms - seen.since_ms);
    now.emplace(i, seen);
  }
  seen_ = std::move(now);
  return held;
}

}  // namespace sessionblocks::flowguard
