// Checkpoints: pinned instants of a live block, taken and released by the director alone.
//
// Taking one costs a membarrier and a look at the operations in flight, whatever the block holds,
// and nobody waits for it. From then on writers keep each version that it needs on a chain
// (chain.hpp). What a released one held is taken out of the chains by trim().
//
// What an operation in flight at the taking does is seen by the checkpoint or not, each as a
// whole; what one thread did, and what it did after it saw another's change, is seen in that order.
//
// A director that dies between two steps leaves a pin that nobody knows (the next one releases
// every pin that control does not name), or a version off its chain, which its side intent names.
#pragma once

#include "segment/settle.hpp"
#include "segment/thread_heap.hpp"

namespace sessionblocks::segment {

class Checkpoints {
 public:
  Checkpoints(BlockMemory& memory, layout::ReadersSegment& readers, ThreadHeap& heap) noexcept
      : memory_(&memory), readers_(&readers), heap_(&heap) {}

  // The instant that is pinned now; what the block holds at it can be read until release().
  // `workers`: everyone who has the block open read-write. too_many: all pins are held;
  // unsupported, io_error: the membarrier failed, nothing is pinned.
  [[nodiscard]] Result<std::uint64_t> take(std::span<const IntentSource> workers);
  // unsupported, io_error: as above; the pin stays.
  [[nodiscard]] Result<void> release(std::uint64_t instant, std::span<const IntentSource> workers);
  // Releases every pin but those of `instants`: what a director that died left half done.
  [[nodiscard]] Result<void> keep_only(std::span<const std::uint64_t> instants,
                                       std::span<const IntentSource> workers);

  // Gives back the versions that no pin needs; due after a release and in the first turn of a
  // director. True when there was anything to do; what could not be done now stays due.
  bool trim();

 private:
  enum class Step : std::uint8_t { clean, again, later };

  void unpin(std::atomic<std::uint64_t>& pin) noexcept;
  [[nodiscard]] Step trim_slot(const layout::TableWord& word, layout::Slot& slot,
                               std::uint64_t index);
  void take_out(const layout::TableWord& word, layout::Slot& slot, std::uint64_t index,
                struct Surplus& surplus);

  BlockMemory* memory_;
  layout::ReadersSegment* readers_;
  ThreadHeap* heap_;
  bool is_due_ = true;
  std::uint64_t work_left_ = 0;  // of this turn
};

}  // namespace sessionblocks::segment
