#include "segment/last_record.hpp"

#include "core/crash_point.hpp"
#include "lockfree/audit_ring.hpp"
#include "segment/verdict.hpp"

#include <algorithm>
#include <cstring>

namespace sessionblocks::segment {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// The detail of the value that the dead one laid behind the record with index `at` - 1. Cells: 0,
// no value that the ring can hold: whoever wrote there was no writer.
struct LaidValue {
  layout::ValueDetail detail{};
  std::uint64_t cells = 0;
};
LaidValue laid_value(const WorkerMemory& worker, unsigned lane, std::uint64_t at) {
  const layout::LaneHead& head = worker.lane(lane);
  const std::uint64_t records = worker.ring_records();
  const std::uint64_t place = (at + head.ring_shift.load(kRelaxed)) & (records - 1);
  RingCell cell;
  sessionblocks::detail::load_cell(worker.ring(lane)[place], cell);
  LaidValue value;
  std::memcpy(&value.detail, &cell, sizeof cell);
  const std::uint64_t used = at - head.ring_drained.load(std::memory_order_acquire);
  const std::uint64_t bytes = value.detail.logged_bytes;
  if (used > records || bytes > layout::kMostLoggedBytes) return {};
  if (value_cells(bytes) <= records - used) value.cells = value_cells(bytes);
  return value;
}

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
  std::uint64_t end = at;
  if ((what & layout::kValueLaid) != 0) {
    const LaidValue value = laid_value(worker, lane, at);
    if (value.cells != 0) {
      record.flags = layout::kInlineValue;
      record.time_ms = value.detail.time_ms;
      end += value.cells;
    }
  }
  const std::uint64_t place = at - 1 + head.ring_shift.load(kRelaxed);
  sessionblocks::detail::store_cell(worker.ring(lane)[place & (worker.ring_records() - 1)], record);
  SESSIONBLOCKS_CRASH("recovery.before_record");
  head.ring_written.store(end, std::memory_order_release);
}

}  // namespace sessionblocks::segment
