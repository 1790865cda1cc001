// One side of an asymmetric fence: a full barrier in every registered process at once.
//
// Workers register when they attach and then need no fence instruction of their own between
// publishing an intent and loading the state; the director issues the barrier when it settles.
// Nothing is left by a crash; a registration ends with its process (exec included).
#pragma once

#include <sessionblocks/error.hpp>

namespace sessionblocks::platform {

// Makes this process a target of membarrier_everywhere(). unsupported before Linux 4.16: then the
// director's fallback reaches it all the same.
[[nodiscard]] Result<void> register_for_membarrier();

// Every running thread of every registered process passes a full memory barrier before it returns.
// 400 to 9,000 ns; the fallback (MEMBARRIER_CMD_GLOBAL) some milliseconds. unsupported: the kernel
// has neither, and nothing may be settled.
[[nodiscard]] Result<void> membarrier_everywhere();

}  // namespace sessionblocks::platform
