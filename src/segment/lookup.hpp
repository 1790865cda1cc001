// Looking a key up in a block, through a growth of the index if one is under way.
#pragma once

#include "core/likely.hpp"
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

enum class Found : std::uint8_t { hit, absent, corrupt };

namespace detail {

[[nodiscard]] inline Found found_by(ProbeEnd end) noexcept {
  if (end == ProbeEnd::hit) return Found::hit;
  return end == ProbeEnd::empty || end == ProbeEnd::full ? Found::absent : Found::corrupt;
}

}  // namespace detail

// A hit hands the node to `use` (see probe.hpp); a tombstone is a hit. `absent` linearises at the
// empty slot where the probe ended. `view` tells where.
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

// The same for what nearly every lookup finds: an index that does not grow, the entry there, in a
// slot that nobody changes meanwhile, in memory that is known to be present. `use` says whether the
// node is one that it can do with. False: lookup() decides.
//
// One line without a call and without a way back into it, so that all of it stays in registers.
template <typename Use>
[[gnu::always_inline]] inline bool lookup_at_rest(const BlockMemory& memory, const KeyView& key,
                                                  Use&& use) {
  const auto& header = memory.header();
  const layout::TableWord current{header.table.load(std::memory_order_acquire)};
  const layout::TableWord old{header.old_table.load(std::memory_order_acquire)};
  if (unlikely(old.is_table() || !memory.is_checked(current))) return false;
  const TableView table = memory.checked_table(current);
  SlotView view;
  view.table = table;
  for (std::uint64_t step = 0;; ++step) {
    view.index = (key.hash + step) & table.mask;
    view.slot = &table.slots[view.index];
    // A1 (acquire): as in probe().
    view.ver = view.slot->high.load(std::memory_order_acquire);
    view.ref.word = view.slot->low.load(std::memory_order_acquire);
    if (likely(view.ref.tag() == static_cast<std::uint16_t>(key.hash >> 48U))) break;
    if (view.ref.word <= layout::kClosedRef || step > table.mask) return false;
  }
  if (unlikely(!view.ref.holds_node())) return false;
  const std::uint64_t room = memory.present_from(view.ref.offset());
  if (unlikely(room < sizeof(layout::Node))) return false;
  view.node = reinterpret_cast<layout::Node*>(memory.base() + view.ref.offset());
  view.gen = view.node->gen.load(std::memory_order_acquire);
  if (unlikely(layout::state_of(view.gen) != layout::NodeState::in_use)) return false;
  // The hit linearises here: gen was read while the slot held this node.
  if (unlikely(view.slot->low.load(std::memory_order_acquire) != view.ref.word)) return false;
  view.shape = layout::Shape::unpack(view.node->shape.load(std::memory_order_relaxed));
  if (unlikely(view.shape.key_bytes != key.size || view.shape.node_bytes() > room)) return false;
  const auto* bytes = reinterpret_cast<const std::byte*>(view.node) + view.shape.key_at();
  if (unlikely(!equal_bytes(bytes, key.data, key.size))) return false;
  if (unlikely(!use(view) || !detail::unchanged(view))) return false;
  // A table that was retired while we probed it holds anything.
  return likely(header.table.load(std::memory_order_relaxed) == current.word &&
                header.old_table.load(std::memory_order_relaxed) == old.word);
}

}  // namespace sessionblocks::segment
