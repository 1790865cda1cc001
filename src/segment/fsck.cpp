#include "segment/fsck.hpp"

#include "layout/layout_hash.hpp"
#include "segment/fsck_checker.hpp"

#include <algorithm>

namespace sessionblocks::segment {

using layout::PageEntry;
using layout::PageKind;
using layout::TableWord;

std::string_view name(Invariant invariant) noexcept {
  static constexpr std::array<std::string_view, kInvariants> kNames = {
      "identity",           "table-word",         "table-pages",        "growth-words",
      "slot-mark",          "slot-node",          "slot-state",         "slot-tag",
      "node-hash",          "node-shape",         "node-version",       "node-stamp",
      "commit-mark",        "unreachable-key",    "duplicate-key",      "shared-node",
      "page-entry",         "above-watermark",    "run-pages",          "run-part",
      "claimed-page",       "leaked-node",        "incarnation-reused", "thread-number",
      "hint-without-chunk", "freed-without-hint", "broken-link",        "shared-version"};
  const auto index = static_cast<std::size_t>(invariant);
  return index < kNames.size() ? kNames[index] : "unknown";
}

std::vector<Finding> fsck(const BlockMemory& memory, const FsckOptions& options,
                          FsckSummary* summary) {
  return detail::Checker(memory, options).run(summary);
}

namespace detail {

Checker::Checker(const BlockMemory& memory, const FsckOptions& options)
    : memory_(memory), options_(options), seed_(0), top_(0) {}

std::vector<Finding> Checker::run(FsckSummary* summary) {
  if (memory_.page_count() == 0) {
    report(Invariant::identity, {}, "the segment is too small to be a block");
  } else {
    header();
    index();
    heap();
  }
  if (summary != nullptr) *summary = summary_;
  return std::move(findings_);
}

void Checker::report(Invariant invariant, const Place& place, std::string text) {
  ++summary_.findings;
  if (findings_.size() >= options_.most_findings) return;
  findings_.push_back({invariant, place.page, place.slot, place.offset, std::move(text)});
}

bool Checker::is_in_flight(std::uint64_t offset) const {
  return std::find(options_.in_flight.begin(), options_.in_flight.end(), offset) !=
         options_.in_flight.end();
}

bool Checker::is_busy(OwnerId owner) const {
  return std::find(options_.busy_owners.begin(), options_.busy_owners.end(), owner) !=
         options_.busy_owners.end();
}

PageEntry Checker::entry_of(std::uint64_t page) const {
  return PageEntry::unpack(memory_.descriptor(page).entry.load(std::memory_order_relaxed));
}

void Checker::header() {
  const auto& header = memory_.header();
  const layout::Identity& found = header.identity;
  const layout::Identity wanted =
      layout::identity(layout::Magic::block, memory_.geometry().segment_bytes);
  if (found.magic != wanted.magic || found.major != wanted.major ||
      found.layout_hash != wanted.layout_hash || found.segment_bytes != wanted.segment_bytes) {
    report(Invariant::identity, {.offset = 0},
           "magic, layout or size in the header are not what this build writes");
  }
  seed_ = options_.hash_seed.value_or(header.hash_seed);
  const std::uint64_t watermark = header.page_watermark.load(std::memory_order_relaxed);
  top_ = std::min(watermark, memory_.page_count());
  growth_words();
}

void Checker::growth_words() {
  const auto& header = memory_.header();
  const TableWord table{header.table.load(std::memory_order_relaxed)};
  const TableWord old{header.old_table.load(std::memory_order_relaxed)};
  const TableWord next{header.next_table.load(std::memory_order_relaxed)};
  const bool growing = old.is_table() && old.id() + 1 == table.id();
  // Half begun: old names the current table until somebody makes the next one current.
  const bool half_begun = old == table && next.is_table() && next.id() == table.id() + 1;
  const bool idle = old == TableWord::idle(table.id());
  if (!growing && !half_begun && !idle) {
    report(Invariant::growth_words, {},
           "old_table is neither idle, nor the current table, nor the one before it");
  }
  if (next.word != 0 && (!next.is_table() || next.id() > table.id() + 1)) {
    report(Invariant::growth_words, {},
           "next_table is neither none, nor a past table, nor the one after the current");
  }
}

std::optional<TableView> Checker::table_pages(TableWord word) {
  const auto view = memory_.table(word);
  if (!view) {
    report(Invariant::table_word, {.page = word.page()},
           "the header names a table that does not fit the segment");
    return std::nullopt;
  }
  named_tables_.insert(word.page());
  const auto& head = memory_.descriptor(word.page());
  const std::uint64_t pages = word.slots() * sizeof(layout::Slot) / layout::kPageBytes;
  const bool is_head = entry_of(word.page()).kind == PageKind::table_head;
  if (!is_head || head.run_pages.load(std::memory_order_relaxed) != pages ||
      head.run_head.load(std::memory_order_relaxed) != word.id()) {
    report(Invariant::table_pages, {.page = word.page()},
           "a table's first page is not a table_head of its length and id");
  }
  for (std::uint64_t page = word.page() + 1; is_head && page < word.page() + pages; ++page) {
    if (entry_of(page).kind == PageKind::run_part &&
        memory_.descriptor(page).run_head.load(std::memory_order_relaxed) == word.page()) {
      continue;
    }
    report(Invariant::table_pages, {.page = page}, "a table covers a page that is not its part");
  }
  return is_head ? view : std::nullopt;
}

}  // namespace detail
}  // namespace sessionblocks::segment
