#include "segment/settle.hpp"

#include "lockfree/cas16.hpp"
#include "platform/membarrier.hpp"

namespace sessionblocks::segment {

using layout::Intent;
using layout::SideKind;
using layout::TableWord;

namespace {

struct Named {
  TableWord table;
  std::uint64_t slot = 0;
  std::uint64_t op = 0;
  bool in_flight = false;
};

Named named_by(const Intent& intent, std::uint16_t open) {
  Named named;
  named.op = intent.op.load(std::memory_order_acquire);
  if (named.op == intent.done.load(std::memory_order_acquire)) return named;
  if (((intent.what.load(std::memory_order_acquire) >> 16U) & 0xFFFFU) != open) return named;
  named.table.word = intent.table.load(std::memory_order_acquire);
  named.slot = intent.slot.load(std::memory_order_acquire);
  named.in_flight = named.table.is_table();
  return named;
}

// One try is enough: when it fails the slot changed after the membarrier, and the thread, which
// looked at the slot before it, fails as surely as by our bump.
void bump(BlockMemory& memory, const Named& named) {
  const auto table = memory.table(named.table);
  if (!table || named.slot > table->mask) return;  // forged: it can commit nothing
  // Outgrown and given back before its thread named it: the thread sees that, and the bytes are
  // another's now. Only the director gives tables back, so this holds for the next lines.
  if (!memory.is_table_page(named.table)) return;
  layout::Slot& slot = table->slots[named.slot];
  Pair seen{};
  seen.high = slot.high.load(std::memory_order_acquire);
  seen.low = slot.low.load(std::memory_order_acquire);
  compare_and_swap(slot, seen, {seen.low, seen.high + 1});
}

}  // namespace

Result<void> settle(BlockMemory& memory, std::span<const IntentSource> workers) {
  if (auto done = platform::membarrier_everywhere(); !done) return done;
  for (const IntentSource& source : workers) {
    for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
      if (!source.worker->is_lane_used(lane)) continue;
      const Named named = named_by(source.worker->lane(lane).intent, source.open);
      if (named.in_flight) bump(memory, named);
    }
  }
  return {};
}

bool is_table_in_use(const BlockMemory& memory, std::uint64_t page,
                     std::span<const IntentSource> workers) {
  const std::uint32_t id = memory.descriptor(page).run_head.load(std::memory_order_relaxed);
  for (const IntentSource& source : workers) {
    for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
      if (!source.worker->is_lane_used(lane)) continue;
      const auto& head = source.worker->lane(lane);
      const Named named = named_by(head.intent, source.open);
      if (named.in_flight && named.table.page() == page) return true;
      const auto kind = static_cast<SideKind>(head.side.kind.load(std::memory_order_acquire));
      const bool moving = kind == SideKind::move || kind == SideKind::drop;
      if (!moving || head.side.open.load(std::memory_order_acquire) != source.open) continue;
      // A mover changes slots of the table that it names and of the one after it.
      const TableWord table{head.side.table.load(std::memory_order_acquire)};
      if (table.page() == page || table.id() + 1 == id) return true;
    }
  }
  return false;
}

}  // namespace sessionblocks::segment
