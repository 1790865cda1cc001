// A readers segment, one per block generation: hazard references and waiter words. Every grant
// maps it read-write, a read-only one too. All of it is a hint: a forged hazard keeps chunks from
// reuse, a forged waiter word costs a system call, a forged mark chooses who is evicted; none can
// damage a value.
#pragma once

#include "layout/identity.hpp"

namespace sessionblocks::layout {

inline constexpr unsigned kHazards = 1'024;
inline constexpr unsigned kWaiterWords = 1'024;
inline constexpr unsigned kUseMarks = 16'384;
inline constexpr unsigned kUseTickShift = 8;  // ticks of 256 ms, which wrap after 4.6 hours

// While `node` is not zero the chunk at that offset is not reused.
struct alignas(kLine) Hazard {
  std::atomic<std::uint64_t> owner;  // OwnerId of the lane that holds it, 0: free
  std::atomic<std::uint64_t> node;
  std::uint64_t zero[6];
};
static_assert(sizeof(Hazard) == 64);

struct ReadersSegment {
  Identity identity;
  std::uint32_t block_id;
  std::uint32_t generation;
  std::uint64_t zero0[3];
  alignas(kLine) std::atomic<std::uint64_t> hazard_watermark;  // hazards at and above are free
  std::uint64_t zero1[7];
  alignas(kLine) Hazard hazards[kHazards];
  // Not zero: someone waits on a slot whose index falls on this word (index modulo the count).
  std::atomic<std::uint32_t> waiters[kWaiterWords];
  // When a key whose hash falls on this mark was last read, in ticks of the monotonic clock; 0:
  // never. Only a block that evicts what was not used for longest has memory here.
  alignas(kLine) std::atomic<std::uint16_t> used[kUseMarks];
};
static_assert(offsetof(ReadersSegment, hazards) == 128);
static_assert(offsetof(ReadersSegment, used) == 128 + kHazards * 64 + kWaiterWords * 4);
static_assert(sizeof(ReadersSegment) == offsetof(ReadersSegment, used) + kUseMarks * 2);

}  // namespace sessionblocks::layout
