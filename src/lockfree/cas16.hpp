// The 16-byte compare-and-swap on which every commit of the index rests.
//
// Writers change both halves in one cmpxchg16b. Readers use two 8-byte loads and a re-check:
// the compiler's own 16-byte load is a cmpxchg16b too and faults on a read-only mapping.
#pragma once

#include "layout/pair.hpp"

namespace sessionblocks {

__extension__ using Word128 = unsigned __int128;

[[nodiscard]] constexpr Word128 word128(Pair pair) noexcept {
  return (static_cast<Word128>(pair.high) << 64U) | pair.low;
}

// Full barrier, as every locked instruction of x86-64 is. True when `expected` was replaced.
inline bool compare_and_swap(AtomicPair& cell, Pair expected, Pair desired) noexcept {
  return __sync_bool_compare_and_swap(reinterpret_cast<Word128*>(&cell), word128(expected),
                                      word128(desired));
}

}  // namespace sessionblocks
