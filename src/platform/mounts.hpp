// Trees of mounts, by the system calls that Debian 12's libc has no names for in all places.
//
// Every function here may be called between fork and exec. They need the right to mount, in this
// user namespace or the one that owns the mount namespace; all leave errno when they fail.
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace sessionblocks::platform::mounts {

// A descriptor of a copy of what is mounted at `path` and below, attached nowhere, or -1. It goes
// with its last descriptor, and with that of the last file opened through it.
inline int copy_tree(const char* path) noexcept {
  constexpr long kOpenTree = 428;
  constexpr unsigned kClone = 1;
  constexpr unsigned kRecursive = 0x8000;  // AT_RECURSIVE
  // Recursive, because a user namespace may not show what its mounts hide.
  return static_cast<int>(
      ::syscall(kOpenTree, AT_FDCWD, path, kClone | kRecursive | unsigned{O_CLOEXEC}));
}

// Mounts the copy at `path`.
inline bool attach_tree(int copy, const char* path) noexcept {
  constexpr long kMoveMount = 429;
  constexpr unsigned kFromIsDescriptor = 0x4;  // MOVE_MOUNT_F_EMPTY_PATH
  return ::syscall(kMoveMount, copy, "", AT_FDCWD, path, kFromIsDescriptor) == 0;
}

// The mount at `path` under `folder` (empty: `folder` itself, a copy) and all below it; other flags
// stay, which a remount would have to repeat. Linux 5.12.
inline bool make_tree_read_only(int folder, const char* path) noexcept {
  struct {
    std::uint64_t set = 1;  // MOUNT_ATTR_RDONLY
    std::uint64_t clear = 0;
    std::uint64_t propagation = 0;
    std::uint64_t user_namespace = 0;
  } attributes;
  constexpr long kMountSetattr = 442;
  constexpr unsigned kFlags = 0x8000 | 0x1000;  // AT_RECURSIVE | AT_EMPTY_PATH
  return ::syscall(kMountSetattr, folder, path, kFlags, &attributes, sizeof(attributes)) == 0;
}

}  // namespace sessionblocks::platform::mounts
