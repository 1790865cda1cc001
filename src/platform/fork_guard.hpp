// Tells a forked child, for one load, that the handles it inherited are not its own.
//
// A private page holds a number; the kernel zeroes the page in every forked child
// (MADV_WIPEONFORK), clone() without glibc included. Handles keep the number of their attach:
// a child that attaches for itself gets another one, so what it inherited stays refused.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sessionblocks::platform {

inline constexpr std::size_t kForkPageBytes = 4096;

namespace detail {
struct alignas(kForkPageBytes) ForkPage {
  std::atomic<std::uint64_t> epoch;
  std::byte padding[kForkPageBytes - sizeof(std::atomic<std::uint64_t>)];
};
static_assert(sizeof(ForkPage) == kForkPageBytes);
extern ForkPage fork_page;
}  // namespace detail

// Starts guarding this process (again: the same number). Returns its fork epoch, never 0.
std::uint64_t arm_fork_guard() noexcept;

// The number of this process since arm_fork_guard(); 0 in a forked child that has not armed.
// Relaxed: only a fork changes it, and the child has one thread then.
[[nodiscard]] inline std::uint64_t fork_epoch() noexcept {
  return detail::fork_page.epoch.load(std::memory_order_relaxed);
}

// True in a forked child, and before arm_fork_guard().
[[nodiscard]] inline bool in_forked_child() noexcept {
  return fork_epoch() == 0;
}

}  // namespace sessionblocks::platform
