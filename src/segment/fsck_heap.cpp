// fsck: the pages of the heap, their chunks and runs, and what nothing leads to.
#include "segment/fsck_checker.hpp"
#include "segment/size_class.hpp"

namespace sessionblocks::segment::detail {

using layout::Gen;
using layout::incarnation_of;
using layout::kPageBytes;
using layout::Node;
using layout::NodeState;
using layout::PageEntry;
using layout::PageKind;
using layout::state_of;

namespace {
constexpr auto kRelaxed = std::memory_order_relaxed;  // nobody writes while fsck looks
}

void Checker::heap() {
  const std::uint64_t watermark = memory_.header().page_watermark.load(kRelaxed);
  if (watermark > memory_.page_count()) {
    report(Invariant::above_watermark, {}, "the watermark is above the last page");
  }
  for (std::uint64_t i = 0; i < top_ && memory_.has_pages(i, 1); ++i) page(i);
  above_watermark(top_);
}

void Checker::above_watermark(std::uint64_t first) {
  for (std::uint64_t i = first; i < memory_.page_count() && memory_.has_pages(i, 1); ++i) {
    if (entry_of(i).kind == PageKind::free) continue;
    report(Invariant::above_watermark, {.page = i}, "a page above the watermark is in use");
  }
}

void Checker::page(std::uint64_t page) {
  const PageEntry entry = entry_of(page);
  ++summary_.pages[static_cast<std::size_t>(entry.kind) & 7U];
  switch (entry.kind) {
    case PageKind::free:
      return;
    case PageKind::claimed:
      if (is_busy(entry.owner)) return;
      return report(Invariant::claimed_page, {.page = page}, "a page is claimed and holds nothing");
    case PageKind::chunks:
      return chunks(page, entry);
    case PageKind::run_head:
      return run(page, entry);
    case PageKind::run_part:
      return part(page, entry);
    case PageKind::table_head:
      if (named_tables_.count(page) == 0) ++summary_.idle_tables;
      return;
  }
  report(Invariant::page_entry, {.page = page}, "a page is of no kind");
}

void Checker::run(std::uint64_t head, PageEntry entry) {
  const auto& descriptor = memory_.descriptor(head);
  const std::uint64_t pages = descriptor.run_pages.load(kRelaxed);
  bool whole = entry.size_class == kRunClass && pages > 0 && fits(head, pages, top_);
  for (std::uint64_t i = head + 1; whole && i < head + pages; ++i) {
    whole = entry_of(i).kind == PageKind::run_part &&
            memory_.descriptor(i).run_head.load(kRelaxed) == head;
  }
  const std::uint64_t offset = memory_.geometry().page_at(head);
  const Gen gen = memory_.node(offset)->gen.load(kRelaxed);
  // The tail goes first when a run is given back, by the one whose gen says `collected`.
  const bool returning = state_of(gen) == NodeState::collected && is_in_flight(offset);
  if (!whole && !returning) {
    report(Invariant::run_pages, {.page = head}, "a run's head counts pages that are not its own");
  }
  const bool holds_nothing =
      state_of(gen) == NodeState::untouched || state_of(gen) == NodeState::collected;
  if (holds_nothing && !is_in_flight(offset) && !is_busy(entry.owner)) {
    report(Invariant::leaked_node, {head, kNowhere, offset}, "a run holds nothing and is not free");
  }
  chunk(offset, entry, true);  // nobody needs a hint to find a freed run
}

void Checker::part(std::uint64_t page, PageEntry entry) {
  const std::uint64_t head = memory_.descriptor(page).run_head.load(kRelaxed);
  if (head < page && memory_.has_pages(head, 1)) {
    const PageKind kind = entry_of(head).kind;
    const bool is_head = kind == PageKind::run_head || kind == PageKind::table_head;
    if (is_head && page - head < memory_.descriptor(head).run_pages.load(kRelaxed)) return;
  }
  if (is_busy(entry.owner)) return;
  report(Invariant::run_part, {.page = page}, "a part of a run belongs to no head");
}

void Checker::chunks(std::uint64_t page, PageEntry entry) {
  if (entry.size_class >= kClassBytes.size()) {
    return report(Invariant::page_entry, {.page = page}, "a page is cut by a class that is none");
  }
  const auto& descriptor = memory_.descriptor(page);
  const std::uint32_t count = chunks_per_page(entry.size_class);
  for (std::uint32_t i = 0; i < layout::kHintWords * 64; ++i) {
    const bool hinted = ((descriptor.freed_hints[i / 64].load(kRelaxed) >> (i % 64)) & 1U) != 0;
    const std::uint64_t offset =
        memory_.geometry().page_at(page) + std::uint64_t{i} * kClassBytes[entry.size_class];
    if (i < count) {
      chunk(offset, entry, hinted);
    } else if (hinted) {
      report(Invariant::hint_without_chunk, {.page = page},
             "a hint is set for a chunk that is none");
    }
  }
}

void Checker::chunk(std::uint64_t offset, PageEntry entry, bool hinted) {
  const Gen gen = memory_.node(offset)->gen.load(kRelaxed);
  const NodeState state = state_of(gen);
  const Place place{memory_.page_of(offset), kNowhere, offset};
  ++summary_.nodes[static_cast<std::size_t>(state)];
  ++summary_.chunks;
  if (gen == 0) return;
  const std::uint64_t thread = incarnation_of(gen) >> 32U;
  if (thread == 0 || thread >= memory_.header().next_thread_number.load(kRelaxed)) {
    report(Invariant::thread_number, place, "a node was made by a thread that has not begun");
  }
  if (!incarnations_.insert(incarnation_of(gen)).second) {
    report(Invariant::incarnation_reused, place, "two nodes have one incarnation");
  }
  if (state == NodeState::freed && !hinted && raw(entry.owner) != 0 && !is_in_flight(offset)) {
    report(Invariant::freed_without_hint, place, "a freed chunk is one that its owner cannot find");
  }
  if (state != NodeState::in_use) return;
  if (references_.count(offset) != 0 || chained_.count(offset) != 0) return;
  if (is_in_flight(offset)) {
    ++summary_.in_flight;
  } else {
    report(Invariant::leaked_node, place, "a node is in use and nothing leads to it");
  }
}

}  // namespace sessionblocks::segment::detail
