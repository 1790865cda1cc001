#include "platform/sandbox_attacks.hpp"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sessionblocks::platform {
namespace {

constexpr std::size_t kPageBytes = 4096;

int outcome(long answer) noexcept {
  return answer < 0 ? errno : 0;
}

// Opening and, when it opened, reading a byte: some files of /proc refuse only then.
int open_and_read(const char* path) noexcept {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  char byte = 0;
  const int result = outcome(::read(fd, &byte, 1));
  ::close(fd);
  return result;
}

int open_only(const char* path, int flags) noexcept {
  const int fd = ::open(path, flags | O_CLOEXEC);
  if (fd < 0) return errno;
  ::close(fd);
  return 0;
}

int open_by_name(const AttackTargets& targets) noexcept {
  return open_only(targets.segment_path, O_RDWR);
}
int remove_by_name(const AttackTargets& targets) noexcept {
  return outcome(::unlink(targets.segment_path));
}
int open_through_victim_root(const AttackTargets& targets) noexcept {
  return open_only(targets.victim_segment_path, O_RDWR);
}
int reopen_for_writing(const AttackTargets& targets) noexcept {
  return open_only(targets.own_readable, O_RDWR);
}
int reopen_and_truncate(const AttackTargets& targets) noexcept {
  const int fd = ::open(targets.own_writable, O_RDWR | O_CLOEXEC);
  if (fd < 0) return errno;
  const int result = outcome(::ftruncate(fd, kPageBytes));
  ::close(fd);
  return result;
}
int truncate_path(const AttackTargets& targets) noexcept {
  return outcome(::truncate(targets.own_writable, kPageBytes));
}
int truncate_descriptor(const AttackTargets& targets) noexcept {
  return outcome(::ftruncate(targets.writable_fd, kPageBytes));
}
int punch_hole(const AttackTargets& targets) noexcept {
  return outcome(
      ::fallocate(targets.writable_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kPageBytes));
}
// fallocate by another door; the numbers are FS_IOC_UNRESVSP64 and its argument.
int punch_hole_by_ioctl(const AttackTargets& targets) noexcept {
  struct SpaceReservation {
    std::int16_t type = 0;
    std::int16_t whence = 0;
    std::int64_t start = 0;
    std::int64_t length = kPageBytes;
    std::int32_t system_id = 0;
    std::uint32_t pid = 0;
    std::int32_t padding[4] = {};
  };
  static_assert(sizeof(SpaceReservation) == 48);
  const SpaceReservation reservation;
  constexpr unsigned long kUnreserve = 0x4030'582b;
  return outcome(::ioctl(targets.writable_fd, kUnreserve, &reservation));
}
int remove_page(const AttackTargets& targets) noexcept {
  return outcome(::madvise(targets.writable_memory, kPageBytes, MADV_REMOVE));
}
// The kernel reads the advice as an int, a filter sees 64 bits.
int remove_page_disguised(const AttackTargets& targets) noexcept {
  constexpr long kDisguised = (1L << 32) | MADV_REMOVE;
  return outcome(::syscall(SYS_madvise, targets.writable_memory, kPageBytes, kDisguised));
}
int make_writable(const AttackTargets& targets) noexcept {
  return outcome(::mprotect(targets.readable_memory, kPageBytes, PROT_READ | PROT_WRITE));
}
int advise_process(const AttackTargets& targets) noexcept {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0));
  if (pidfd < 0) return errno;
  const iovec page{.iov_base = targets.writable_memory, .iov_len = kPageBytes};
  const int result = outcome(::syscall(SYS_process_madvise, pidfd, &page, 1, MADV_COLD, 0));
  ::close(pidfd);
  return result;
}
int read_secret(const AttackTargets& targets) noexcept {
  return open_and_read(targets.secret_path);
}
int change_secret_mode(const AttackTargets& targets) noexcept {
  return outcome(::chmod(targets.secret_path, 0600));
}
int read_environ(const AttackTargets& targets) noexcept {
  return open_and_read(targets.victim_environ);
}
int open_memory(const AttackTargets& targets) noexcept {
  return open_only(targets.victim_memory, O_RDWR);
}
int open_descriptor(const AttackTargets& targets) noexcept {
  return open_only(targets.victim_descriptor, O_RDONLY);
}
int open_namespace(const AttackTargets& targets) noexcept {
  return open_only(targets.victim_namespace, O_RDONLY);
}
int steal_descriptor(const AttackTargets& targets) noexcept {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, targets.victim, 0));
  if (pidfd < 0) return errno;
  const int result = outcome(::syscall(SYS_pidfd_getfd, pidfd, 0, 0));
  ::close(pidfd);
  return result;
}
int read_memory(const AttackTargets& targets) noexcept {
  // The victim was forked from the same program: what is mapped here is mapped there.
  static char word[8];
  char copy[8];
  const iovec here{.iov_base = copy, .iov_len = sizeof(copy)};
  const iovec there{.iov_base = word, .iov_len = sizeof(word)};
  return outcome(::process_vm_readv(targets.victim, &here, 1, &there, 1, 0));
}
int send_a_signal(const AttackTargets& targets) noexcept {
  return outcome(::kill(targets.victim, SIGURG));  // ignored by default
}
int read_limit(const AttackTargets& targets) noexcept {
  rlimit limit{};
  return outcome(::prlimit(targets.victim, RLIMIT_NOFILE, nullptr, &limit));
}
int connect_abstract(const AttackTargets& targets) noexcept {
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(targets.abstract_socket.begin(), targets.abstract_socket.end(), address.sun_path);
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + targets.abstract_socket.size());
  const int result = outcome(::connect(fd, reinterpret_cast<sockaddr*>(&address), size));
  ::close(fd);
  return result;
}
int set_up_io_uring(const AttackTargets& /*targets*/) noexcept {
  io_uring_params parameters{};
  const long fd = ::syscall(SYS_io_uring_setup, 1, &parameters);
  if (fd < 0) return errno;
  ::close(static_cast<int>(fd));
  return 0;
}
int trace(const AttackTargets& targets) noexcept {
  return outcome(::ptrace(PTRACE_SEIZE, targets.victim, nullptr, nullptr));
}
int enter_user_namespace(const AttackTargets& /*targets*/) noexcept {
  return outcome(::unshare(CLONE_NEWUSER));
}

constexpr std::array kAttacks = {
    Attack{"open a segment by its name", open_by_name},
    Attack{"open a segment through another process's root", open_through_victim_root},
    Attack{"reopen a read-only descriptor for writing", reopen_for_writing},
    Attack{"make a read-only mapping writable", make_writable},
    Attack{"reopen a descriptor and truncate", reopen_and_truncate},
    Attack{"truncate through /proc/self/fd", truncate_path},
    Attack{"truncate a granted descriptor", truncate_descriptor},
    Attack{"punch a hole into a segment", punch_hole},
    Attack{"punch a hole by ioctl", punch_hole_by_ioctl},
    Attack{"remove a page of a segment (MADV_REMOVE)", remove_page},
    Attack{"remove a page with a disguised argument", remove_page_disguised},
    Attack{"use process_madvise", advise_process},
    Attack{"read a file of the runtime folder", read_secret},
    Attack{"change the mode of a file of the runtime folder", change_secret_mode},
    Attack{"read another process's environment", read_environ},
    Attack{"open another process's memory", open_memory},
    Attack{"read another process's memory (process_vm_readv)", read_memory},
    Attack{"open another process's descriptor", open_descriptor},
    Attack{"copy another process's descriptor (pidfd_getfd)", steal_descriptor},
    Attack{"open another process's mount namespace", open_namespace},
    Attack{"signal another process", send_a_signal},
    Attack{"reach another process's limits (prlimit)", read_limit},
    Attack{"connect to an abstract socket", connect_abstract},
    Attack{"set up io_uring", set_up_io_uring},
    Attack{"trace another process (ptrace)", trace},
    Attack{"remove a segment's name", remove_by_name},
    Attack{"enter a new user namespace", enter_user_namespace},
};

}  // namespace

std::span<const Attack> sandbox_attacks() noexcept {
  return kAttacks;
}

}  // namespace sessionblocks::platform
