// A readers segment, one per block generation: hazard references and waiter words. Every grant
// maps it read-write, a read-only one too. All of it is a hint: a forged hazard keeps chunks from
// reuse, a forged waiter word costs a system call; neither can damage a value.
#pragma once

#include "layout/identity.hpp"

namespace sessionblocks::layout {

inline constexpr unsigned kHazards = 1'024;
inline constexpr unsigned kWaiterWords = 1'024;

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
};
static_assert(offsetof(ReadersSegment, hazards) == 128);
static_assert(sizeof(ReadersSegment) == 128 + kHazards * 64 + kWaiterWords * 4);

}  // namespace sessionblocks::layout
