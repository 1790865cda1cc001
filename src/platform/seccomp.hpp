// The system calls that a sandboxed worker is refused.
//
// A short deny-list, because the workers are any programs (bash, python3, node, git): it holds what
// would damage shared segments (punching, MADV_REMOVE), reach other processes of the same user
// (ptrace, process_vm, pidfd_getfd, prlimit64), go around the filter (io_uring) or open the way to
// mounts (user namespaces). Everything is refused with EPERM; clone3 with ENOSYS, because its flags
// are in memory that a filter cannot read, and then glibc uses clone.
#pragma once

#include <linux/filter.h>

#include <sessionblocks/error.hpp>
#include <vector>

namespace sessionblocks::platform {

using SeccompProgram = std::vector<sock_filter>;

// Built once; later calls copy. unsupported: libseccomp could not make it for this machine.
[[nodiscard]] Result<SeccompProgram> worker_seccomp_program();

// Whether the kernel can filter system calls.
[[nodiscard]] bool kernel_has_seccomp() noexcept;

// Puts the calling thread under the filter for ever; it needs no_new_privs. Between fork and exec.
// 0, or -1 with errno.
int install_seccomp(const SeccompProgram& program) noexcept;

}  // namespace sessionblocks::platform
