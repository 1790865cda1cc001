// The attacks that the sandbox must refuse, each a few system calls.
//
// Private to sandbox_selftest.cpp and the tests. They run in a forked child that is confined; only
// system calls, no memory is taken. They aim at a victim and at targets that the self-test made
// for this, never at anything in use, so one that succeeds harms nobody.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sessionblocks::platform {

struct AttackTargets {
  const char* segment_path = nullptr;         // "/dev/shm/NAME"
  const char* victim_segment_path = nullptr;  // "/proc/VICTIM/root/dev/shm/NAME"
  const char* victim_environ = nullptr;       // "/proc/VICTIM/environ"
  const char* victim_memory = nullptr;        // "/proc/VICTIM/mem"
  const char* victim_descriptor = nullptr;    // "/proc/VICTIM/fd/N", open on a file
  const char* victim_namespace = nullptr;     // "/proc/VICTIM/ns/mnt"
  const char* secret_path = nullptr;          // a file of the runtime folder
  const char* own_writable = nullptr;         // "/proc/self/fd/N" of writable_fd
  const char* own_readable = nullptr;         // the same of readable_fd
  pid_t victim = 0;                           // another process of the same user, not confined
  int writable_fd = -1;                       // of the segment, from OpenerThread
  int readable_fd = -1;
  std::byte* writable_memory = nullptr;  // one page of the segment each, mapped by the child
  std::byte* readable_memory = nullptr;
  std::span<const char> abstract_socket;  // its sun_path; somebody listens there
};

struct Attack {
  std::string_view name;
  // 0 when it succeeded; otherwise the errno of the refusal.
  int (*attempt)(const AttackTargets&) noexcept;
};

// In the order in which they are to be tried: the last ones change the attacker itself.
[[nodiscard]] std::span<const Attack> sandbox_attacks() noexcept;

}  // namespace sessionblocks::platform
