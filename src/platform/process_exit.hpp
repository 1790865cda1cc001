// The end of a process, seen before the kernel is done with it.
//
// A pidfd is readable when a process has ended, which is after its memory was unmapped: 20 ms for
// 512 MiB. Its last instruction is long over by then. A thread that exits says so in the flags of
// /proc/PID/task/TID/stat (PF_EXITING, include/linux/sched.h), which the kernel sets on the way out
// before it unmaps anything (kernel/exit.c, do_exit), and from there it never comes back.
#pragma once

#include <sys/types.h>

#include <chrono>

namespace sessionblocks::platform {

// Whether no thread of it executes an instruction of its program any more. Only after a SIGKILL was
// sent, when no new thread can begin. False where /proc does not tell.
[[nodiscard]] bool is_exiting(pid_t pid);

// After SIGKILL. Returns as soon as it is exiting, or has ended. False: `until` passed first.
[[nodiscard]] bool wait_until_exiting(int pidfd, pid_t pid,
                                      std::chrono::steady_clock::time_point until);

}  // namespace sessionblocks::platform
