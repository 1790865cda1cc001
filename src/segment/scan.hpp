// Walking all entries of a block while it changes: for for_each, size, dump and leak reports.
#pragma once

#include "platform/random.hpp"
#include "segment/lookup.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

namespace sessionblocks::segment {

namespace detail {

// Hands the node of one slot to `use` until it saw it whole. False: there is none (any more).
template <typename Use>
bool visit_slot(const BlockMemory& memory, const TableView& table, std::uint64_t index,
                HazardSlot* hazard, Use&& use) {
  SlotView view;
  view.table = table;
  view.index = index;
  view.slot = &table.slots[index];
  for (int tries = 0; tries < kMostTries; ++tries) {
    view.ver = view.slot->high.load(std::memory_order_acquire);
    view.ref.word = view.slot->low.load(std::memory_order_acquire);
    if (!view.ref.holds_node()) return false;
    const bool protect = tries >= kPlainTries && hazard != nullptr;
    if (protect && hazard->protect(view.ref.offset()) &&
        view.slot->low.load(std::memory_order_seq_cst) != view.ref.word) {
      continue;
    }
    const Look look = look_at_any_node(memory, view, use);
    if (protect) hazard->clear();
    if (look == Look::hit) return true;
    if (look == Look::corrupt) return false;
  }
  return false;
}

// Whether the header still names the table: what a slot of it showed before is the index's. Pairs
// with whoever reuses the memory of one that is named no more.
[[nodiscard]] inline bool is_named(const BlockMemory& memory, layout::TableWord table) noexcept {
  std::atomic_thread_fence(std::memory_order_acquire);
  const auto& header = memory.header();
  return header.table.load(std::memory_order_relaxed) == table.word ||
         header.old_table.load(std::memory_order_relaxed) == table.word;
}

}  // namespace detail

// Each further round is for a growth that began and ended during the one before.
inline constexpr int kMostRounds = 1'000;

// Hands every node that a slot shows (tombstones and expired entries too) to `use`, which may be
// called again for the same one and then copies anew; `done` says that it was whole, and returns
// false to end the walk. An entry that is there all the time is seen exactly once; one that comes
// or goes meanwhile is seen once or not at all. False: the header names no usable table, or one
// after the other.
template <typename Use, typename Done>
bool scan(const BlockMemory& memory, HazardSlot* hazard, Use&& use, Done&& done) {
  // By key and not by key id: a key that was erased and put again is another entry with its own.
  std::vector<KeyPrint> seen;
  const std::uint64_t seed = platform::random_u64().value_or(0);
  std::array<std::byte, layout::kMaxKeyBytes> key;
  Tables tables;
  int rounds = 0;
  for (bool again = true; again; ++rounds) {
    if (rounds == kMostRounds) return false;
    if (!load_tables(memory, tables)) {
      if (same_tables(memory, tables)) return false;
      continue;
    }
    const std::pair<layout::TableWord, TableView> both[] = {{tables.old, tables.old_view},
                                                            {tables.current, tables.current_view}};
    for (const auto& [word, view] : std::span(both).subspan(tables.is_growing() ? 0 : 1)) {
      std::sort(seen.begin(), seen.end());
      const auto sorted = static_cast<std::ptrdiff_t>(seen.size());
      for (std::uint64_t index = 0; index <= view.mask; ++index) {
        KeyPrint print{};
        const bool whole =
            detail::visit_slot(memory, view, index, hazard, [&](const SlotView& slot) {
              const std::size_t size = std::min<std::size_t>(slot.shape.key_bytes, key.size());
              copy_out(key.data(),
                       reinterpret_cast<const std::byte*>(slot.node) + slot.shape.key_at(), size);
              print = print_of({key.data(), size}, seed);
              use(slot);
            });
        if (!whole) continue;
        if (!detail::is_named(memory, word)) break;  // its memory may be a later table by now
        if (std::binary_search(seen.begin(), seen.begin() + sorted, print)) continue;
        seen.push_back(print);
        if (!done()) return true;
      }
    }
    // Entries that moved to a table which we did not walk are walked now.
    again = !same_tables(memory, tables) && !tables_only_finished(memory, tables);
  }
  return true;
}

}  // namespace sessionblocks::segment
