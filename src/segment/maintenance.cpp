#include "segment/maintenance.hpp"

#include "platform/membarrier.hpp"

#include <algorithm>
#include <vector>

namespace sessionblocks::segment {

using layout::PageEntry;
using layout::PageKind;
using layout::TableWord;

Maintenance::Maintenance(const MaintenancePlace& place)
    : place_(place),
      heap_(*place.memory, place.readers, place.lane->side, place.open, place.owner),
      growth_(*place.memory, *place.readers, heap_, place.owner, place.growing),
      checkpoints_(*place.memory, *place.readers, heap_) {}

bool Maintenance::run(std::span<const IntentSource> workers) {
  bool did = finish();
  did = checkpoints_.trim() || did;
  did = retire(workers) || did;
  return prepare() || did;
}

bool Maintenance::prepare() {
  const unsigned wanted = growth_.wanted_log2();
  auto& header = place_.memory->header();
  const TableWord table{header.table.load(std::memory_order_acquire)};
  const TableWord next{header.next_table.load(std::memory_order_acquire)};
  if (wanted == 0 || (next.is_table() && next.id() == table.id() + 1)) return false;
  return growth_.prepare_next(wanted) || growth_.prepare_next(table.log2_slots());
}

bool Maintenance::finish() {
  help_begin(*place_.memory);
  const TableWord old{place_.memory->header().old_table.load(std::memory_order_acquire)};
  return old.is_table() && growth_.finish();
}

bool Maintenance::retire(std::span<const IntentSource> workers) {
  BlockMemory& memory = *place_.memory;
  auto& header = memory.header();
  const TableWord table{header.table.load(std::memory_order_acquire)};
  const TableWord old{header.old_table.load(std::memory_order_acquire)};
  if (old.is_table() || table.id() == retired_below_) return false;
  std::vector<std::uint64_t> heads;
  const std::uint64_t top =
      std::min(header.page_watermark.load(std::memory_order_acquire), memory.page_count());
  for (std::uint64_t page = 0; page < top && memory.has_pages(page, 1); ++page) {
    const auto& descriptor = memory.descriptor(page);
    const auto entry = PageEntry::unpack(descriptor.entry.load(std::memory_order_acquire));
    // A table with an owner is being prepared, or given back by who lost the race to name it.
    if (entry.kind != PageKind::table_head || page == table.page()) continue;
    if (raw(entry.owner) != 0) continue;
    if (descriptor.run_head.load(std::memory_order_relaxed) <= table.id()) heads.push_back(page);
  }
  if (heads.empty() || !platform::membarrier_everywhere()) return false;
  bool all = true;
  for (const std::uint64_t head : heads) {
    if (is_table_in_use(memory, head, workers)) {
      all = false;  // a stopped writer may come back to it; the memory waits, nobody else
    } else if (place_.growing == Growing::freely || !growth_.prepare_next_in(head)) {
      heap_.pages().return_run(head);
    }
  }
  if (all) retired_below_ = table.id();
  return !heads.empty();
}

}  // namespace sessionblocks::segment
