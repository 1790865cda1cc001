// Registry: who uses a block, as far as the director sees it without asking anybody: the records
// that the audit takes out of the rings, the counters that levels "writes" and "counted" keep
// instead, and who has it open. What cannot be known counts as use: a worker that lies can keep its
// block alive until its scope ends, and end none that another one uses.
#include "director/registry.hpp"
#include "layout/worker.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::director {
namespace {

const layout::LaneHead& head_of(const WorkerMemory& worker, unsigned lane) {
  return *reinterpret_cast<const layout::LaneHead*>(worker.segment.data() +
                                                    layout::lane_at(lane, worker.ring_records));
}

// Operations without a record, in lanes that threads have had: others have no memory.
std::uint64_t unrecorded_use(const Worker& worker, unsigned open) {
  const WorkerMemory memory = worker.memory();
  const std::uint32_t lanes = worker.header()->lanes_used.load(std::memory_order_acquire);
  std::uint64_t use = 0;
  for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
    if ((lanes >> lane & 1U) == 0) continue;
    const layout::LaneHead& head = head_of(memory, lane);
    const auto& counters = reinterpret_cast<const layout::OpenCounters*>(
        memory.segment.data() + layout::lane_at(lane, memory.ring_records) +
        layout::kLaneHeadBytes)[open];
    // Relaxed: numbers that only grow, each looked at for itself.
    use += counters.reads.load(std::memory_order_relaxed) +
           counters.writes.load(std::memory_order_relaxed) +
           head.ring_lost.load(std::memory_order_relaxed);
  }
  return use;
}

std::uint64_t mixed(std::uint64_t so_far, std::uint64_t next) noexcept {
  return (so_far ^ next) * 0x9E37'79B9'7F4A'7C15U;
}

}  // namespace

bool Registry::was_used(StoredBlock& block) {
  bool is_recorded = false;
  std::uint64_t counted = 0;
  for (const auto& [id, worker] : workers.all()) {
    if (!worker.segment || worker.is_director) continue;
    for (const auto& [open, opened] : worker.opens) {
      if (opened.block != block.id || opened.generation != block.generation) continue;
      is_recorded = options.audit->take_used(id, open) || is_recorded;
      counted =
          mixed(mixed(counted, std::uint64_t{raw(id)} << 16U | open), unrecorded_use(worker, open));
    }
  }
  const bool is_used = is_recorded || counted != block.counted_use;
  block.counted_use = counted;
  return is_used;
}

// What was done last may wait in the rings. False: it could not be taken out of them.
bool Registry::drain_users(const StoredBlock& block) {
  bool is_drained = true;
  for (const auto& [id, worker] : workers.all()) {
    if (!worker.segment || worker.is_director) continue;
    for (const auto& [open, opened] : worker.opens) {
      if (opened.block != block.id || opened.generation != block.generation) continue;
      const WorkerMemory memory = worker.memory();
      std::array<std::uint64_t, layout::kLanes> written{};
      for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
        written[lane] = head_of(memory, lane).ring_written.load(std::memory_order_acquire);
      }
      options.audit->drain_fully(id);
      for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
        const auto drained = head_of(memory, lane).ring_drained.load(std::memory_order_acquire);
        is_drained = is_drained && drained >= written[lane];
      }
      break;  // all of its rings
    }
  }
  return is_drained;
}

bool Registry::has_idled_away(StoredBlock& block, std::uint64_t now_ms) {
  if (block.ending.idle_ms == 0) return false;
  if (was_used(block)) {
    block.last_used_ms = now_ms;
    return false;
  }
  if (now_ms - block.last_used_ms < block.ending.idle_ms) return false;
  const bool is_known = drain_users(block);
  if (is_known && !was_used(block)) return true;
  block.last_used_ms = now_ms;
  return false;
}

}  // namespace sessionblocks::director
