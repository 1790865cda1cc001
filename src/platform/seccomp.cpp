#include "platform/seccomp.hpp"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "platform/os_error.hpp"
#include "platform/unique_fd.hpp"

namespace sessionblocks::platform {
namespace {

using Context = std::unique_ptr<void, decltype(&seccomp_release)>;

constexpr std::uint64_t kInt = 0xffff'ffff;  // the kernel reads an int and ignores what is above
constexpr std::uint64_t kNewUserNamespace = 0x1000'0000;

// Calls that are refused whatever their arguments. Names, so that libseccomp skips those that this
// machine does not have, and newer ones go by number.
constexpr std::array kRefused = {"process_madvise",
                                 "io_uring_setup",
                                 "io_uring_enter",
                                 "io_uring_register",
                                 "ptrace",
                                 "process_vm_readv",
                                 "process_vm_writev",
                                 "pidfd_getfd",
                                 "kcmp",
                                 "process_mrelease",
                                 "migrate_pages",
                                 "move_pages",
                                 "perf_event_open",
                                 "bpf",
                                 "userfaultfd",
                                 "add_key",
                                 "request_key",
                                 "keyctl",
                                 "setns",
                                 "mount",
                                 "umount2",
                                 "pivot_root",
                                 "move_mount",
                                 "open_tree",
                                 "fsopen",
                                 "fsmount",
                                 "fsconfig",
                                 "fspick",
                                 "mount_setattr",
                                 "open_by_handle_at"};

// Every mode of fallocate that takes bytes away or moves them.
constexpr std::array<std::uint64_t, 5> kPunchingModes = {
    0x02,  // PUNCH_HOLE
    0x08,  // COLLAPSE_RANGE
    0x10,  // ZERO_RANGE
    0x20,  // INSERT_RANGE
    0x80,  // WRITE_ZEROES
};

// The same by ioctl: the kernel hands these to fallocate itself, behind the filter's back.
constexpr std::array<std::uint64_t, 3> kPunchingIoctls = {
    0x4030'5829,  // FS_IOC_UNRESVSP
    0x4030'582b,  // FS_IOC_UNRESVSP64
    0x4030'5839,  // FS_IOC_ZERO_RANGE
};

// Refuses `call` when argument `index`, under `mask`, is `value`.
bool refuse_if(void* context, int call, unsigned index, std::uint64_t mask, std::uint64_t value) {
  const scmp_arg_cmp compare{
      .arg = index, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
  return ::seccomp_rule_add_array(context, SCMP_ACT_ERRNO(EPERM), call, 1, &compare) == 0;
}

bool refuse_calls(void* context) {
  for (const char* name : kRefused) {
    const int call = ::seccomp_syscall_resolve_name(name);
    if (call == __NR_SCMP_ERROR) continue;
    if (::seccomp_rule_add_array(context, SCMP_ACT_ERRNO(EPERM), call, 0, nullptr) != 0) {
      return false;
    }
  }
  return true;
}

bool refuse_damage(void* context) {
  bool added = refuse_if(context, SCMP_SYS(madvise), 2, kInt, MADV_REMOVE);
  for (const std::uint64_t mode : kPunchingModes) {
    added = added && refuse_if(context, SCMP_SYS(fallocate), 1, mode, mode);
  }
  for (const std::uint64_t request : kPunchingIoctls) {
    added = added && refuse_if(context, SCMP_SYS(ioctl), 1, kInt, request);
  }
  // Any pid but 0, the caller itself: a filter cannot know the caller's own number.
  const scmp_arg_cmp others{.arg = 0, .op = SCMP_CMP_NE, .datum_a = 0, .datum_b = 0};
  return added && ::seccomp_rule_add_array(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 1,
                                           &others) == 0;
}

bool refuse_ways_out(void* context) {
  return refuse_if(context, SCMP_SYS(unshare), 0, kNewUserNamespace, kNewUserNamespace) &&
         refuse_if(context, SCMP_SYS(clone), 0, kNewUserNamespace, kNewUserNamespace) &&
         ::seccomp_rule_add_array(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, nullptr) ==
             0 &&
         // Typing into the terminal of whoever started the director.
         refuse_if(context, SCMP_SYS(ioctl), 1, kInt, TIOCSTI) &&
         refuse_if(context, SCMP_SYS(ioctl), 1, kInt, TIOCLINUX);
}

Result<SeccompProgram> export_program(void* context) {
  const UniqueFd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file) return fail_errno("memfd_create for the seccomp filter");
  if (::seccomp_export_bpf(context, file.get()) != 0) {
    return fail(Errc::unsupported, "seccomp: libseccomp cannot build the filter");
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno("read the seccomp filter");
  SeccompProgram program(static_cast<std::size_t>(status.st_size) / sizeof(sock_filter));
  const std::size_t bytes = program.size() * sizeof(sock_filter);
  if (::pread(file.get(), program.data(), bytes, 0) != static_cast<ssize_t>(bytes)) {
    return fail_errno("read the seccomp filter");
  }
  return program;
}

Result<SeccompProgram> build_program() {
  const Context context(::seccomp_init(SCMP_ACT_ALLOW), &::seccomp_release);
  if (!context) return fail(Errc::unsupported, "seccomp: libseccomp does not know this machine");
  // System calls of another architecture would not meet the rules below.
  ::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  ::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (!refuse_calls(context.get()) || !refuse_damage(context.get()) ||
      !refuse_ways_out(context.get())) {
    return fail(Errc::unsupported, "seccomp: libseccomp refuses a rule");
  }
  return export_program(context.get());
}

}  // namespace

Result<SeccompProgram> worker_seccomp_program() {
  static const Result<SeccompProgram> program = build_program();
  return program;
}

bool kernel_has_seccomp() noexcept {
  const std::uint32_t action = SECCOMP_RET_ERRNO;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int install_seccomp(const SeccompProgram& program) noexcept {
  const sock_fprog filter{.len = static_cast<unsigned short>(program.size()),
                          .filter = const_cast<sock_filter*>(program.data())};
  // Without SPEC_ALLOW, older kernels switch speculation off and slow the worker down.
  return static_cast<int>(
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter));
}

}  // namespace sessionblocks::platform
