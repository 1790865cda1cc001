#include "segment/last_record.hpp"

#include "core/crash_point.hpp"
#include "lockfree/audit_ring.hpp"
#include "segment/verdict.hpp"

#include <algorithm>

namespace sessionblocks::segment {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

void remember_committed(const WorkerMemory& worker, WorkerId id, const BlockMemory& memory,
                        std::uint16_t open) {
  for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
    if (!worker.is_lane_used(lane)) continue;
    layout::LaneHead& head = worker.lane(lane);
    const std::uint64_t op = Verdict(memory, owner_of(id, lane)).committed_op(head.intent, open);
    if (op != 0) head.committed_op.store(op, std::memory_order_release);
  }
}

unsigned complete_remembered(const WorkerMemory& worker, std::uint16_t open) {
  unsigned committed = 0;
  for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
    if (!worker.is_lane_used(lane)) continue;
    layout::LaneHead& head = worker.lane(lane);
    const std::uint64_t op = head.intent.op.load(std::memory_order_acquire);
    if (op == head.intent.done.load(std::memory_order_acquire)) continue;
    if (((head.intent.what.load(kRelaxed) >> 16U) & 0xFFFFU) != open) continue;
    if (head.committed_op.load(std::memory_order_acquire) == op) {
      ++committed;
      publish_last_record(worker, lane);
    }
    head.intent.done.store(op, std::memory_order_release);
  }
  return committed;
}

void publish_last_record(const WorkerMemory& worker, unsigned lane) {
  layout::LaneHead& head = worker.lane(lane);
  const layout::Intent& intent = head.intent;
  const std::uint64_t at = intent.record_at.load(kRelaxed);
  if (at == 0 || head.ring_written.load(kRelaxed) != at - 1) return;
  const std::uint64_t what = intent.what.load(kRelaxed);
  layout::AuditRecord record{};
  record.key_id = intent.key_id.load(kRelaxed);
  record.version = intent.version.load(kRelaxed);
  record.value_bytes = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(intent.value_bytes.load(kRelaxed), UINT32_MAX));
  record.open = static_cast<std::uint16_t>(what >> 16U);
  record.op = static_cast<std::uint8_t>(what & 0xFFU);
  record.count = 1;
  const std::uint64_t place = at - 1 + head.ring_shift.load(kRelaxed);
  sessionblocks::detail::store_cell(worker.ring(lane)[place & (worker.ring_records() - 1)], record);
  SESSIONBLOCKS_CRASH("recovery.before_record");
  head.ring_written.store(at, std::memory_order_release);
}

}  // namespace sessionblocks::segment
