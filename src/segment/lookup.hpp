// Looking a key up in a block, through a growth of the index if one is under way.
#pragma once

#include "segment/probe.hpp"

#include <utility>

namespace sessionblocks::segment {

// The two tables of a block as its header names them now.
struct Tables {
  layout::TableWord current;
  layout::TableWord old;  // is_growing(): the table that current grows out of
  TableView current_view;
  TableView old_view;

  [[nodiscard]] bool is_growing() const noexcept {
    return old.is_table() && old.id() + 1 == current.id();
  }
};

// False: the header names no usable table.
[[nodiscard]] inline bool load_tables(const BlockMemory& memory, Tables& tables) noexcept {
  const auto& header = memory.header();
  tables.current.word = header.table.load(std::memory_order_acquire);
  tables.old.word = header.old_table.load(std::memory_order_acquire);
  const auto current = memory.table(tables.current);
  if (!current) return false;
  tables.current_view = *current;
  if (!tables.is_growing()) return true;
  const auto old = memory.table(tables.old);
  if (!old) return false;
  tables.old_view = *old;
  return true;
}

[[nodiscard]] inline bool same_tables(const BlockMemory& memory, const Tables& tables) noexcept {
  std::atomic_thread_fence(std::memory_order_acquire);
  const auto& header = memory.header();
  return header.table.load(std::memory_order_relaxed) == tables.current.word &&
         header.old_table.load(std::memory_order_relaxed) == tables.old.word;
}

// Whether all that changed is that the growth which `tables` shows has ended.
[[nodiscard]] inline bool tables_only_finished(const BlockMemory& memory,
                                               const Tables& tables) noexcept {
  const auto& header = memory.header();
  return tables.is_growing() &&
         header.table.load(std::memory_order_acquire) == tables.current.word &&
         header.old_table.load(std::memory_order_acquire) ==
             layout::TableWord::idle(tables.current.id()).word;
}

enum class Found : std::uint8_t { hit, absent, corrupt, undecided };

namespace detail {

[[nodiscard]] inline Found found_by(ProbeEnd end) noexcept {
  if (end == ProbeEnd::hit) return Found::hit;
  return end == ProbeEnd::empty || end == ProbeEnd::full ? Found::absent : Found::corrupt;
}

}  // namespace detail

// A hit hands the node to `use` (see probe.hpp); a tombstone is a hit. `absent` linearises at the
// empty slot where the probe ended. `view` tells where. Never undecided.
template <typename Use>
Found lookup(const BlockMemory& memory, const KeyView& key, HazardSlot* hazard, SlotView& view,
             Use&& use) {
  for (int tries = 0; tries < kMostTries; ++tries) {
    Tables tables;
    if (!load_tables(memory, tables)) {
      if (same_tables(memory, tables)) return Found::corrupt;
      continue;
    }
    const TableView& first = tables.is_growing() ? tables.old_view : tables.current_view;
    ProbeResult result = probe(memory, first, key, hazard, view, use);
    // A key that moved before we came is in the new table for good; one inserted since the probe's
    // end was closed is there too. Otherwise the old table's answer stands.
    if (tables.is_growing() && result.end != ProbeEnd::hit &&
        (result.look_in_next || result.end == ProbeEnd::closed || result.end == ProbeEnd::full)) {
      result = probe(memory, tables.current_view, key, hazard, view, use);
    }
    // A table that was retired while we probed it holds anything.
    if (same_tables(memory, tables)) return detail::found_by(result.end);
  }
  return Found::corrupt;
}

// The same where nothing moves: no growth, no change of the slot meanwhile. One look at each slot,
// all of it inlined, so that nothing of it has to stand in memory. undecided: lookup() decides.
template <typename Use>
[[gnu::always_inline]] inline Found lookup_at_rest(const BlockMemory& memory, const KeyView& key,
                                                   Use&& use) {
  const auto& header = memory.header();
  const layout::TableWord current{header.table.load(std::memory_order_acquire)};
  const layout::TableWord old{header.old_table.load(std::memory_order_acquire)};
  if (old.is_table() || !memory.is_checked(current)) [[unlikely]]
    return Found::undecided;
  const TableView table = memory.checked_table(current);
  const auto tag = static_cast<std::uint16_t>(key.hash >> 48U);
  Found found = Found::undecided;
  for (std::uint64_t step = 0; step <= table.mask; ++step) {
    SlotView view;
    view.slot = &table.slots[(key.hash + step) & table.mask];
    // A1 (acquire): as in probe().
    view.ver = view.slot->high.load(std::memory_order_acquire);
    view.ref.word = view.slot->low.load(std::memory_order_acquire);
    if (view.ref.tag() != tag) {
      if (view.ref.word > layout::kClosedRef) [[likely]]
        continue;
      if (view.ref.word == layout::kEmptyRef) found = Found::absent;
      break;
    }
    if (!view.ref.holds_node()) break;
    const detail::Look look = detail::look_at_node(
        memory, view, [&](const SlotView& at) { return detail::key_matches(memory, at, key); },
        use);
    if (look == detail::Look::other_key) continue;
    if (look == detail::Look::hit) found = Found::hit;
    break;
  }
  // A table that was retired while we probed it holds anything.
  std::atomic_thread_fence(std::memory_order_acquire);
  const bool same = header.table.load(std::memory_order_relaxed) == current.word &&
                    header.old_table.load(std::memory_order_relaxed) == old.word;
  return same ? found : Found::undecided;
}

}  // namespace sessionblocks::segment
