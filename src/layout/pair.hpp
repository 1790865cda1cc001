// Two words that change together: what a slot of an index table is made of.
#pragma once

#include <atomic>
#include <cstdint>

namespace sessionblocks {

struct alignas(16) Pair {
  std::uint64_t low;
  std::uint64_t high;
};

struct alignas(16) AtomicPair {
  std::atomic<std::uint64_t> low;
  std::atomic<std::uint64_t> high;
};
static_assert(sizeof(AtomicPair) == 16 && std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace sessionblocks
