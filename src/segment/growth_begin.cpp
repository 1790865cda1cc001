// Growth: when an index begins to grow, and into what. How slots move stands in growth.cpp.
#include "segment/growth.hpp"

#include "core/crash_point.hpp"

#include <algorithm>

namespace sessionblocks::segment {

using layout::kEmptyRef;
using layout::TableWord;

void help_begin(BlockMemory& memory) noexcept {
  auto& header = memory.header();
  TableWord old{header.old_table.load(std::memory_order_acquire)};
  TableWord table{header.table.load(std::memory_order_acquire)};
  const TableWord next{header.next_table.load(std::memory_order_acquire)};
  if (!old.is_table() || old != table || next.id() != table.id() + 1) return;
  SESSIONBLOCKS_CRASH("growth.half_begun");
  if (header.table.compare_exchange_strong(table.word, next.word, std::memory_order_acq_rel)) {
    header.claimed_slots.store(0, std::memory_order_relaxed);
    header.erased_entries.store(0, std::memory_order_relaxed);
  }
}

bool Growth::begin_prepared() {
  auto& header = memory_->header();
  const TableWord table{header.table.load(std::memory_order_acquire)};
  const TableWord next{header.next_table.load(std::memory_order_acquire)};
  if (!next.is_table() || next.id() != table.id() + 1) return false;
  // The idle word names the table, so a helper that slept through a whole growth cannot begin one.
  std::uint64_t idle = TableWord::idle(table.id()).word;
  SESSIONBLOCKS_CRASH("growth.before_begin");
  header.old_table.compare_exchange_strong(idle, table.word, std::memory_order_acq_rel);
  help_begin(*memory_);
  // Not begun while the growth into this table goes on: that one has to be finished first. Nor when
  // someone scribbled over old_table.
  return header.table.load(std::memory_order_acquire) != table.word;
}

unsigned Growth::wanted_log2() const noexcept {
  const auto& header = memory_->header();
  const TableWord table{header.table.load(std::memory_order_acquire)};
  const std::uint64_t claimed = header.claimed_slots.load(std::memory_order_relaxed);
  const std::uint64_t erased = header.erased_entries.load(std::memory_order_relaxed);
  const bool filling = claimed * 2 >= table.slots();
  // Pages run low: a spare of the same size lets a rebuild drop tombstones when there are none.
  const bool scarce =
      header.page_watermark.load(std::memory_order_relaxed) * 4 >= memory_->page_count() * 3;
  if (!filling && !scarce) return 0;
  const std::uint64_t live = claimed > erased ? claimed - erased : 0;
  // Mostly tombstones: a table of the same size gets rid of them.
  const bool is_larger = live * 2 >= table.slots() && has_room_for_larger(table);
  const unsigned log2 = table.log2_slots() + (is_larger ? 1 : 0);
  return std::min(log2, layout::kMaxTableLog2);
}

void Growth::after_insert() {
  auto& header = memory_->header();
  const std::uint64_t claimed = header.claimed_slots.fetch_add(1, std::memory_order_relaxed) + 1;
  const TableWord table{header.table.load(std::memory_order_acquire)};
  const bool due = claimed * 4 >= table.slots() * 3;
  if (due && is_worth_beginning(table) && begin_prepared()) return;
  // The director prepares tables ahead and finishes what stopped and dead movers left. It is away,
  // or slower than we fill the table: do it ourselves, late and now and then.
  if (claimed % 64 != 0) return;
  // Were the table full before the last slot had moved into it, that slot would never find a place.
  // Half of it is enough for all that the old one held.
  const TableWord old{header.old_table.load(std::memory_order_acquire)};
  if (old.is_table() && claimed * 2 >= table.slots() && !finish()) return;
  if (claimed * 8 >= table.slots() * 7 && growing_ == Growing::freely) {
    return static_cast<void>(begin_now());
  }
  if (!due && should_keep_spare(table) && wanted_log2() != 0) {
    (void)prepare_next(table.log2_slots());
  }
}

bool Growth::has_next(TableWord table) const noexcept {
  const TableWord next{memory_->header().next_table.load(std::memory_order_acquire)};
  return next.is_table() && next.id() == table.id() + 1;
}

bool Growth::has_room_for_larger(TableWord table) const noexcept {
  if (growing_ == Growing::freely) return true;
  const std::uint64_t pages = table.slots() * sizeof(layout::Slot) / layout::kPageBytes;
  return pages_left() >= 2 * 2 * pages + memory_->page_count() / 8;
}

bool Growth::is_worth_beginning(TableWord table) const noexcept {
  if (growing_ == Growing::freely || has_tombstones()) return true;
  const TableWord next{memory_->header().next_table.load(std::memory_order_acquire)};
  return next.id() == table.id() + 1 && next.log2_slots() > table.log2_slots();
}

// Long before the last empty slot: probes become long, and the director may be slow to give back
// the table of the last rebuild.
bool Growth::has_slot_for_new() {
  auto& header = memory_->header();
  const TableWord table{header.table.load(std::memory_order_acquire)};
  const std::uint64_t claimed = header.claimed_slots.load(std::memory_order_relaxed);
  if (claimed * 8 < table.slots() * 7) return true;
  if (!is_worth_beginning(table) && !has_room_for_larger(table)) return false;
  return begin_now() || claimed * 32 < table.slots() * 31;
}

// A spare table, while there is still room for it in a row: just before the pages that nobody had
// yet run out, and later only for the sake of tombstones. Without a director the old table stays,
// and a spare more would take the place of entries.
bool Growth::should_keep_spare(TableWord table) const noexcept {
  const std::uint64_t pages = table.slots() * sizeof(layout::Slot) / layout::kPageBytes;
  const std::uint64_t left = pages_left();
  if (left >= memory_->page_count() / 8 + pages) return false;
  return left >= pages || has_tombstones();
}

// Fewer would not pay for walking the table.
bool Growth::has_tombstones() const noexcept {
  const auto& header = memory_->header();
  const std::uint64_t erased = header.erased_entries.load(std::memory_order_relaxed);
  return erased != 0 && erased * 16 >= header.claimed_slots.load(std::memory_order_relaxed);
}

bool Growth::begin_now() {
  const TableWord before{memory_->header().table.load(std::memory_order_acquire)};
  const TableWord old{memory_->header().old_table.load(std::memory_order_acquire)};
  if (old.is_table() && !finish()) return false;
  if (begin_prepared()) return true;
  const TableWord table{memory_->header().table.load(std::memory_order_acquire)};
  const auto begun = [&] {  // by somebody else meanwhile
    return memory_->header().table.load(std::memory_order_acquire) != before.word;
  };
  const unsigned wanted = std::max(wanted_log2(), table.log2_slots());
  const bool may_be_smaller = wanted != table.log2_slots() && has_tombstones();
  if (!prepare_next(wanted) && !(may_be_smaller && prepare_next(table.log2_slots()))) {
    return begun();
  }
  return begin_prepared() || begun();
}

bool Growth::prepare_next(unsigned log2_slots) {
  const TableWord table{memory_->header().table.load(std::memory_order_acquire)};
  if (has_next(table)) return true;
  // The size comes from the current table's word, which anyone may have scribbled over.
  if (log2_slots < layout::kMinTableLog2 || log2_slots > layout::kMaxTableLog2) return false;
  const std::uint64_t slots = std::uint64_t{1} << log2_slots;
  const std::uint64_t pages = slots * sizeof(layout::Slot) / layout::kPageBytes;
  const auto page = heap_->pages().claim_run(pages, Claim::for_table);
  if (!page) return false;
  if (!offer_next(table, log2_slots, *page)) heap_->pages().return_run(*page);
  return true;
}

bool Growth::prepare_next_in(std::uint64_t page) {
  const TableWord table{memory_->header().table.load(std::memory_order_acquire)};
  const std::uint64_t pages = table.slots() * sizeof(layout::Slot) / layout::kPageBytes;
  const bool fits = memory_->descriptor(page).run_pages.load(std::memory_order_relaxed) == pages;
  if (!fits || has_next(table) || !heap_->pages().own(page)) return false;
  return offer_next(table, table.log2_slots(), page);
}

// Precondition: the pages are ours. False: somebody else's table is the next one; they still are.
bool Growth::offer_next(TableWord table, unsigned log2_slots, std::uint64_t page) {
  auto& header = memory_->header();
  TableWord next{header.next_table.load(std::memory_order_acquire)};
  if (next.is_table() && next.id() == table.id() + 1) return false;
  const TableWord fresh =
      TableWord::make(table.id() + 1, log2_slots, static_cast<std::uint32_t>(page));
  // First: a table with an owner and an id to come is given back should we die here.
  memory_->descriptor(page).run_head.store(fresh.id(), std::memory_order_relaxed);
  auto* at = reinterpret_cast<layout::Slot*>(memory_->page_bytes(page));
  for (std::uint64_t i = 0; i < fresh.slots(); ++i) {
    at[i].low.store(kEmptyRef, std::memory_order_relaxed);
    // A ver of this table only: a writer that slept through a reuse of the memory fails.
    at[i].high.store(std::uint64_t{fresh.id()} << 32U, std::memory_order_relaxed);
  }
  heap_->pages().publish_head(page, layout::PageKind::table_head);
  SESSIONBLOCKS_CRASH("growth.before_next");
  if (!header.next_table.compare_exchange_strong(next.word, fresh.word,
                                                 std::memory_order_acq_rel)) {
    return false;
  }
  SESSIONBLOCKS_CRASH("growth.next_named");
  heap_->pages().disown(page);
  return true;
}

}  // namespace sessionblocks::segment
