// What of this process stands in its core dumps.
//
// Mapped segments never do (mapping.hpp). A director's own memory holds keys on their way to the
// log, so the program leaves all of it out. What it starts gets back what was there before.
#pragma once

namespace sessionblocks::platform {

// Whether the kernel took it. Once, before there are threads.
bool leave_memory_out_of_core_dumps() noexcept;
// In a forked child, before it becomes another program: only system calls.
void restore_core_dumps() noexcept;

}  // namespace sessionblocks::platform
