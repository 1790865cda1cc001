#include "platform/fork_guard.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <mutex>

namespace sessionblocks::platform {

detail::ForkPage detail::fork_page{};

namespace {

std::mutex arming;
std::uint64_t last_epoch = 0;  // a child continues its parent's count, so numbers never meet
bool guarded = false;          // stays true in a child: the advice is inherited

void clear_in_child() noexcept {
  detail::fork_page.epoch.store(0, std::memory_order_relaxed);  // the child has one thread
}

void guard_page() noexcept {
  if (guarded) return;
  guarded = true;
  // The page is zero-initialised data, which the kernel maps as private anonymous memory, as the
  // advice needs. Pages larger than ours, or an odd loader, refuse it: then glibc's fork() clears
  // it, and only a bare clone() goes unnoticed.
  if (::madvise(&detail::fork_page, sizeof(detail::fork_page), MADV_WIPEONFORK) != 0) {
    pthread_atfork(nullptr, nullptr, clear_in_child);
  }
}

}  // namespace

std::uint64_t arm_fork_guard() noexcept {
  const std::lock_guard lock(arming);
  guard_page();
  std::uint64_t epoch = fork_epoch();
  if (epoch == 0) {
    epoch = ++last_epoch;
    detail::fork_page.epoch.store(epoch, std::memory_order_relaxed);  // see fork_epoch()
  }
  return epoch;
}

}  // namespace sessionblocks::platform
