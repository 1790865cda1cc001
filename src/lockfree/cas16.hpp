// The 16-byte compare-and-swap on which every commit of the index rests.
//
// Writers change both halves in one cmpxchg16b. Readers use two 8-byte loads and a re-check:
// the compiler's own 16-byte load is a cmpxchg16b too and faults on a read-only mapping.
#pragma once

#include "layout/pair.hpp"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SESSIONBLOCKS_THREAD_SANITIZER 1
#include <sanitizer/tsan_interface.h>
#endif
#endif

namespace sessionblocks {

__extension__ using Word128 = unsigned __int128;

[[nodiscard]] constexpr Word128 word128(Pair pair) noexcept {
  return (static_cast<Word128>(pair.high) << 64U) | pair.low;
}

// Full barrier, as every locked instruction of x86-64 is. True when `expected` was replaced.
#if defined(SESSIONBLOCKS_THREAD_SANITIZER)
// The sanitizer's own takes a lock of the process, which other processes do not see.
inline bool compare_and_swap(AtomicPair& cell, Pair expected, Pair desired) noexcept {
  bool done = false;
  __tsan_release(&cell.low);
  __tsan_release(&cell.high);
  asm volatile("lock cmpxchg16b %1"
               : "=@ccz"(done), "+m"(cell), "+a"(expected.low), "+d"(expected.high)
               : "b"(desired.low), "c"(desired.high)
               : "memory");
  __tsan_acquire(&cell.low);
  __tsan_acquire(&cell.high);
  return done;
}
#else
inline bool compare_and_swap(AtomicPair& cell, Pair expected, Pair desired) noexcept {
  return __sync_bool_compare_and_swap(reinterpret_cast<Word128*>(&cell), word128(expected),
                                      word128(desired));
}
#endif

}  // namespace sessionblocks
