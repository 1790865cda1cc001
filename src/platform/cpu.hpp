// What the processor must have.
#pragma once

#include <cpuid.h>

namespace sessionblocks::platform {

// Whether it has the 16-byte compare-and-swap on which every commit rests: all x86-64 processors
// but the first few of 2003 to 2006.
[[nodiscard]] inline bool has_pair_swap() noexcept {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & unsigned{bit_CMPXCHG16B}) != 0;
}

}  // namespace sessionblocks::platform
