// Hazard references (Michael, "Hazard Pointers", 2004): what keeps one chunk from being reused
// while a slow reader, a visit, or a thief of freed chunks works on it. A stopped holder holds one
// node, not an epoch. A dead holder's references are cleared by recovery.
#pragma once

#include "core/ids.hpp"
#include "layout/readers.hpp"

#include <cstdint>
#include <vector>

namespace sessionblocks::segment {

// One thread's hazard slot in one block.
class HazardSlot {
 public:
  HazardSlot() = default;
  HazardSlot(layout::ReadersSegment* readers, OwnerId owner) noexcept
      : readers_(readers), owner_(owner) {}

  // False: all 1,024 slots are held.
  [[nodiscard]] bool protect(std::uint64_t node) noexcept {
    if (slot_ == nullptr && !claim()) return false;
    slot_->node.store(node, std::memory_order_relaxed);
    // F1 (seq_cst): the hazard is visible before the caller looks again whether the node still
    // stands where it was. Pairs with F2 in hazards_of: without both fences the reader could see
    // the node in place and the owner see no hazard.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return true;
  }
  void clear() noexcept {
    // Release: our loads of the node before its chunk can be reused.
    if (slot_ != nullptr) slot_->node.store(0, std::memory_order_release);
  }
  // Gives the slot back, at the end of the thread.
  void leave() noexcept {
    if (slot_ == nullptr) return;
    clear();
    slot_->owner.store(0, std::memory_order_release);
    slot_ = nullptr;
  }

 private:
  [[nodiscard]] bool claim() noexcept {
    for (std::uint64_t i = 0; i < layout::kHazards; ++i) {
      std::uint64_t none = 0;
      if (!readers_->hazards[i].owner.compare_exchange_strong(none, raw(owner_),
                                                              std::memory_order_acq_rel)) {
        continue;
      }
      slot_ = &readers_->hazards[i];
      std::uint64_t top = readers_->hazard_watermark.load(std::memory_order_relaxed);
      while (top < i + 1 && !readers_->hazard_watermark.compare_exchange_weak(
                                top, i + 1, std::memory_order_seq_cst)) {
      }
      return true;
    }
    return false;
  }

  layout::ReadersSegment* readers_ = nullptr;
  OwnerId owner_{};
  layout::Hazard* slot_ = nullptr;
};

// The nodes that hazards name now, sorted. Chunks taken off their slots before the call and not
// in the result can be reused.
inline void hazards_of(const layout::ReadersSegment* readers, std::vector<std::uint64_t>& nodes) {
  nodes.clear();
  // F2 (seq_cst): pairs with F1.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::uint64_t count = readers->hazard_watermark.load(std::memory_order_seq_cst);
  if (count > layout::kHazards) count = layout::kHazards;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t node = readers->hazards[i].node.load(std::memory_order_acquire);
    if (node != 0) nodes.push_back(node);
  }
}

// Clears what a dead lane left. Nobody else stores in a slot that it owned.
inline void clear_hazards(layout::ReadersSegment* readers, WorkerId worker) noexcept {
  for (auto& hazard : readers->hazards) {
    const auto owner = static_cast<std::uint32_t>(hazard.owner.load(std::memory_order_acquire));
    if (owner == 0 || worker_of(static_cast<OwnerId>(owner)) != worker) continue;
    hazard.node.store(0, std::memory_order_release);
    hazard.owner.store(0, std::memory_order_release);
  }
}

}  // namespace sessionblocks::segment
