// The kernel's Landlock interface, by number.
//
// Debian 12's headers stop at ABI 2, so the newer rights are written down here and the kernel is
// asked at run time which of them it knows. Only opener_thread.cpp and sandbox.cpp use this.
// Every function here may be called between fork and exec.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace sessionblocks::platform::landlock {

inline constexpr std::uint64_t kExecute = 1U << 0;
inline constexpr std::uint64_t kWriteFile = 1U << 1;
inline constexpr std::uint64_t kReadFile = 1U << 2;
inline constexpr std::uint64_t kReadDir = 1U << 3;
inline constexpr std::uint64_t kRemoveDir = 1U << 4;
inline constexpr std::uint64_t kRemoveFile = 1U << 5;
inline constexpr std::uint64_t kMakeChar = 1U << 6;
inline constexpr std::uint64_t kMakeDir = 1U << 7;
inline constexpr std::uint64_t kMakeReg = 1U << 8;
inline constexpr std::uint64_t kMakeSock = 1U << 9;
inline constexpr std::uint64_t kMakeFifo = 1U << 10;
inline constexpr std::uint64_t kMakeBlock = 1U << 11;
inline constexpr std::uint64_t kMakeSym = 1U << 12;
inline constexpr std::uint64_t kRefer = 1U << 13;     // ABI 2
inline constexpr std::uint64_t kTruncate = 1U << 14;  // ABI 3
inline constexpr std::uint64_t kIoctlDev = 1U << 15;  // ABI 5

inline constexpr std::uint64_t kScopeAbstractSocket = 1U << 0;  // ABI 6
inline constexpr std::uint64_t kScopeSignal = 1U << 1;          // ABI 6

inline constexpr int kAbiWithTruncate = 3;
inline constexpr int kAbiWithIoctl = 5;
inline constexpr int kAbiWithScopes = 6;

// struct landlock_ruleset_attr as of ABI 6; an older kernel takes the larger size as long as the
// fields it does not know are zero.
struct RulesetAttributes {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;
  std::uint64_t scoped = 0;
};
static_assert(sizeof(RulesetAttributes) == 24);

struct [[gnu::packed]] PathBeneath {
  std::uint64_t allowed_access = 0;
  std::int32_t parent_fd = -1;
};
static_assert(sizeof(PathBeneath) == 12);

// 0 when the kernel has no Landlock or it is switched off.
inline int abi() noexcept {
  constexpr unsigned kVersionFlag = 1;
  const long answer = ::syscall(444, nullptr, 0, kVersionFlag);
  return answer > 0 ? static_cast<int>(answer) : 0;
}

// A descriptor (close-on-exec) or -1 with errno.
inline int create_ruleset(const RulesetAttributes& attributes) noexcept {
  return static_cast<int>(::syscall(444, &attributes, sizeof(attributes), 0));
}

// 0, or -1 with errno. For a file only the rights that files have may be given.
inline int add_path(int ruleset, int parent_fd, std::uint64_t access) noexcept {
  constexpr int kPathBeneathType = 1;
  const PathBeneath rule{.allowed_access = access, .parent_fd = parent_fd};
  return static_cast<int>(::syscall(445, ruleset, kPathBeneathType, &rule, 0));
}

// Restricts the calling thread for ever; it needs no_new_privs. 0, or -1 with errno.
inline int restrict_self(int ruleset) noexcept {
  return static_cast<int>(::syscall(446, ruleset, 0));
}

}  // namespace sessionblocks::platform::landlock
