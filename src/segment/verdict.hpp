// What became of an operation that an intent tells of, as the block itself shows it.
//
// Reads only. What the intent says counts only as far as the block agrees, for its thread may be
// hostile; each answer is bounded whatever stands there.
#pragma once

#include "layout/worker.hpp"
#include "segment/block_memory.hpp"

#include <cstdint>
#include <optional>

namespace sessionblocks::segment {

class Verdict {
 public:
  // Of operations of this owner. `memory` outlives it.
  Verdict(const BlockMemory& memory, OwnerId owner) noexcept : memory_(&memory), owner_(owner) {}

  // Null: there is no such table, or slot of it, any more.
  [[nodiscard]] layout::Slot* slot_of(std::uint64_t table, std::uint64_t index) const;
  // No answer: no node begins there.
  [[nodiscard]] std::optional<layout::Gen> gen_of(std::uint64_t offset) const;
  // Whether it is this incarnation of a node, in whatever state.
  [[nodiscard]] bool is_here(std::uint64_t offset, layout::Gen gen) const;

  // Precondition: the new node `fresh` is here. Whether its slot came to show it.
  [[nodiscard]] bool has_shown(const layout::Intent& intent, std::uint64_t fresh,
                               layout::Gen gen) const;
  // Whether the eviction emptied its slot.
  [[nodiscard]] bool has_dropped(const layout::Intent& intent) const;
  // Whether the commit that the intent tells of can have taken this node, which is in use, off its
  // slot. The node itself says of which key it is and which version came after it; the new node
  // says so too unless it was displaced and used again, and then the index must know a later
  // version.
  [[nodiscard]] bool has_displaced(const layout::Intent& intent, std::uint64_t fresh,
                                   layout::Gen gen, std::uint64_t old) const;

  // The operation in flight, if it has committed; 0: it has not, or none is. Its thread may live:
  // what it does meanwhile makes no answer wrong, and a no lasts if the block has settled, so that
  // nothing in flight can commit any more (settle.hpp).
  [[nodiscard]] std::uint64_t committed_op(const layout::Intent& intent, std::uint16_t open) const;

 private:
  [[nodiscard]] bool same_key(std::uint64_t left, std::uint64_t right) const;
  [[nodiscard]] bool has_moved_on(std::uint64_t old) const;

  const BlockMemory* memory_;
  OwnerId owner_;
};

}  // namespace sessionblocks::segment
