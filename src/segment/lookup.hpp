// Looking a key up in a block, through a growth of the index if one is under way.
#pragma once

#include "segment/probe.hpp"

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

enum class Found : std::uint8_t { hit, absent, corrupt };

// A hit hands the node to `use` (see probe.hpp); a tombstone is a hit. `absent` linearises at the
// empty slot where the probe ended. `view` tells where.
template <typename Use>
Found lookup(const BlockMemory& memory, const KeyView& key, HazardSlot* hazard, SlotView& view,
             Use&& use) {
  for (int tries = 0; tries < kMostTries; ++tries) {
    Tables tables;
    const bool usable = load_tables(memory, tables);
    if (!usable) {
      if (same_tables(memory, tables)) return Found::corrupt;
      continue;
    }
    ProbeResult result;
    if (tables.is_growing()) {
      result = probe(memory, tables.old_view, key, hazard, view, use);
      // A key that moved before we came is in the new table for good; one inserted since the
      // probe's end was closed is there too. Otherwise the old table's answer stands.
      if (result.end != ProbeEnd::hit &&
          (result.look_in_next || result.end == ProbeEnd::closed || result.end == ProbeEnd::full)) {
        result = probe(memory, tables.current_view, key, hazard, view, use);
      }
    } else {
      result = probe(memory, tables.current_view, key, hazard, view, use);
    }
    // A table that was retired while we probed it holds anything.
    if (!same_tables(memory, tables)) continue;
    switch (result.end) {
      case ProbeEnd::hit:
        return Found::hit;
      case ProbeEnd::empty:
      case ProbeEnd::full:
        return Found::absent;
      default:
        return Found::corrupt;
    }
  }
  return Found::corrupt;
}

}  // namespace sessionblocks::segment
