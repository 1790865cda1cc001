// Probing one index table for a key: linear probing from the hash, one slot a key for the life of
// the table.
//
// probe() stores nothing, so a read-only mapping is enough. It hands the node of a slot whose key
// matches to `use`, which copies what it needs and may be called again; a hit counts only when
// probe() found afterwards that the bytes were those of the node in the slot.
//
// Invariants it rests on
//  1. A slot that was claimed by a key belongs to it until the table goes; so a key that is not
//     found before the first empty or closed slot is not in the table.
//  2. Equal incarnations mean equal bytes (layout/node.hpp).
#pragma once

#include "lockfree/racy_copy.hpp"
#include "segment/block_memory.hpp"
#include "segment/hazards.hpp"
#include "segment/key_view.hpp"

namespace sessionblocks::segment {

// A slot as it was when it was looked at, and the node in it.
struct SlotView {
  layout::Slot* slot = nullptr;
  std::uint64_t index = 0;
  TableView table;
  layout::SlotRef ref;
  std::uint64_t ver = 0;
  layout::Node* node = nullptr;  // nullptr: the slot is empty
  layout::Gen gen = 0;
  layout::Shape shape;

  [[nodiscard]] const std::byte* value() const noexcept {
    return reinterpret_cast<const std::byte*>(node) + shape.value_at();
  }
};

enum class ProbeEnd : std::uint8_t {
  hit,      // `use` saw the entry
  empty,    // no such key in this table; the probe ended at a slot that was never claimed
  closed,   // no such key in this table; an insert must go to the next table
  full,     // no such key, and no slot is left
  gone,     // the memory is no longer a table: look at control and header again
  corrupt,  // bytes that no writer of this library leaves
};

struct ProbeResult {
  ProbeEnd end = ProbeEnd::gone;
  bool look_in_next = false;  // a slot that may have been this key's moved to the next table
};

inline constexpr int kPlainTries = 8;         // then a hazard holds the node still
inline constexpr int kMostTries = 1'000'000;  // nobody but a forger changes a slot that often

namespace detail {

[[nodiscard, gnu::always_inline]] inline bool unchanged(const SlotView& view) noexcept {
  // Acquire fence: the loads of the node's bytes come before these two. Pairs with the release
  // fence that a writer passes between the new gen and the new bytes of a reused chunk.
  std::atomic_thread_fence(std::memory_order_acquire);
  return view.slot->low.load(std::memory_order_relaxed) == view.ref.word &&
         view.slot->high.load(std::memory_order_relaxed) == view.ver;
}

[[nodiscard, gnu::always_inline]] inline bool key_matches(const BlockMemory& memory,
                                                          const SlotView& view,
                                                          const KeyView& key) noexcept {
  if (view.shape.key_bytes != key.size) return false;
  if (!memory.holds(view.ref.offset(), view.shape.node_bytes())) return false;
  const auto* bytes = reinterpret_cast<const std::byte*>(view.node) + view.shape.key_at();
  return equal_bytes(bytes, key.data, key.size);
}

enum class Look : std::uint8_t { hit, other_key, changed, corrupt };

// One look at a slot that holds a node. `view` has slot, ref and ver. `wanted` looks at the node's
// shape and key.
template <typename Wanted, typename Use>
[[gnu::always_inline]] inline Look look_at_node(const BlockMemory& memory, SlotView& view,
                                                Wanted&& wanted, Use&& use) {
  view.node = memory.node(view.ref.offset());
  if (view.node == nullptr) return unchanged(view) ? Look::corrupt : Look::changed;
  view.gen = view.node->gen.load(std::memory_order_acquire);
  if (layout::state_of(view.gen) != layout::NodeState::in_use) {
    return unchanged(view) ? Look::corrupt : Look::changed;
  }
  // The hit linearises here: gen was read while the slot held this node.
  if (view.slot->low.load(std::memory_order_acquire) != view.ref.word) return Look::changed;
  view.shape = layout::Shape::unpack(view.node->shape.load(std::memory_order_relaxed));
  if (!wanted(view)) return unchanged(view) ? Look::other_key : Look::changed;
  use(view);
  if (unchanged(view)) return Look::hit;
  const auto gen = memory.authentic_gen(view.ref.offset());
  const bool same = gen && layout::incarnation_of(*gen) == layout::incarnation_of(view.gen);
  return same ? Look::hit : Look::changed;
}

// The same for whatever key the slot has.
template <typename Use>
Look look_at_any_node(const BlockMemory& memory, SlotView& view, Use&& use) {
  const auto fits = [&](const SlotView& at) {
    return memory.holds(at.ref.offset(), at.shape.node_bytes());
  };
  const Look look = look_at_node(memory, view, fits, use);
  return look == Look::other_key ? Look::corrupt : look;
}

}  // namespace detail

// `hazard` may be nullptr for callers that nobody races (fsck of a copy).
template <typename Use>
ProbeResult probe(const BlockMemory& memory, const TableView& table, const KeyView& key,
                  HazardSlot* hazard, SlotView& view, Use&& use) {
  ProbeResult result;
  const auto tag = static_cast<std::uint16_t>(key.hash >> 48U);
  view.table = table;
  for (std::uint64_t step = 0; step <= table.mask; ++step) {
    view.index = (key.hash + step) & table.mask;
    view.slot = &table.slots[view.index];
    for (int tries = 0;; ++tries) {
      // A1 (acquire): pairs with the compare-and-swap that published the node.
      view.ver = view.slot->high.load(std::memory_order_acquire);
      view.ref.word = view.slot->low.load(std::memory_order_acquire);
      view.node = nullptr;
      if (view.ref.word == layout::kEmptyRef) return result.end = ProbeEnd::empty, result;
      if (view.ref.word == layout::kClosedRef) return result.end = ProbeEnd::closed, result;
      if (view.ref.word == 0) return result.end = ProbeEnd::gone, result;
      if (view.ref.tag() != tag) break;
      if (!view.ref.holds_node()) {
        if (view.ref.mark() > layout::Mark::dropped) {
          return result.end = ProbeEnd::corrupt, result;
        }
        result.look_in_next = true;
        break;
      }
      const bool protect = tries >= kPlainTries && hazard != nullptr;
      if (protect && hazard->protect(view.ref.offset()) &&
          view.slot->low.load(std::memory_order_seq_cst) != view.ref.word) {
        continue;
      }
      const detail::Look look = detail::look_at_node(
          memory, view, [&](const SlotView& at) { return detail::key_matches(memory, at, key); },
          use);
      if (protect) hazard->clear();
      if (look == detail::Look::hit) return result.end = ProbeEnd::hit, result;
      if (look == detail::Look::other_key) break;
      if (look == detail::Look::corrupt || tries >= kMostTries) {
        return result.end = ProbeEnd::corrupt, result;
      }
    }
  }
  view.slot = nullptr;
  return result.end = ProbeEnd::full, result;
}

}  // namespace sessionblocks::segment
