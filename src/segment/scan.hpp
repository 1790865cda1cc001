// Walking all entries of a block while it changes: for for_each, size, dump and leak reports.
#pragma once

#include "segment/lookup.hpp"

#include <algorithm>
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
  std::vector<std::uint64_t> seen;  // key ids, to recognise entries that moved while we walked
  std::size_t sorted = 0;
  Tables tables;
  int rounds = 0;
  for (bool again = true; again; ++rounds) {
    if (rounds == kMostRounds) return false;
    if (!load_tables(memory, tables)) {
      if (same_tables(memory, tables)) return false;
      continue;
    }
    std::sort(seen.begin(), seen.end());
    sorted = seen.size();
    const TableView views[] = {tables.is_growing() ? tables.old_view : tables.current_view,
                               tables.current_view};
    const int first = tables.is_growing() ? 0 : 1;
    for (int i = first; i < 2; ++i) {
      for (std::uint64_t index = 0; index <= views[i].mask; ++index) {
        std::uint64_t key_id = 0;
        const bool whole =
            detail::visit_slot(memory, views[i], index, hazard, [&](const SlotView& view) {
              key_id = view.node->key_id.load(std::memory_order_relaxed);
              use(view);
            });
        if (!whole) continue;
        if (std::binary_search(seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(sorted),
                               key_id)) {
          continue;
        }
        seen.push_back(key_id);
        if (!done()) return true;
      }
      std::sort(seen.begin(), seen.end());
      sorted = seen.size();
    }
    // Entries that moved to a table which we did not walk are walked now.
    again = !same_tables(memory, tables) && !tables_only_finished(memory, tables);
  }
  return true;
}

}  // namespace sessionblocks::segment
