// Waking who waits for a slot to change. Nobody waiting costs the writer one load.
#pragma once

#include "layout/block.hpp"
#include "layout/readers.hpp"
#include "platform/futex.hpp"

namespace sessionblocks::segment {

// The low half of a slot's ver: what a waiter sleeps on, through a read-only mapping too.
[[nodiscard]] inline const std::atomic<std::uint32_t>& wait_word(
    const layout::Slot& slot) noexcept {
  const void* low_half = &slot.high;  // little-endian
  return *static_cast<const std::atomic<std::uint32_t>*>(low_half);
}

[[nodiscard]] inline std::atomic<std::uint32_t>& waiter_flag(layout::ReadersSegment& readers,
                                                             std::uint64_t slot_index) noexcept {
  return readers.waiters[slot_index % layout::kWaiterWords];
}

// After a change of the slot. Waiters set the flag again before they sleep again, so a flag that
// a dead waiter left costs one call. The compare-and-swap that changed the slot is the full barrier
// between that change and this load; a waiter's flag comes before its last look at the slot.
inline void wake_slot(layout::ReadersSegment& readers, const layout::Slot& slot,
                      std::uint64_t slot_index) noexcept {
  auto& flag = waiter_flag(readers, slot_index);
  if (flag.load(std::memory_order_relaxed) == 0) return;
  flag.store(0, std::memory_order_seq_cst);
  platform::futex_wake(wait_word(slot));
}

}  // namespace sessionblocks::segment
