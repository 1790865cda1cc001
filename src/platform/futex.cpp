#include "platform/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

#include "platform/clock.hpp"

namespace sessionblocks::platform {

static_assert(sizeof(std::atomic<std::uint32_t>) == 4);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

FutexWait futex_wait_until(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                           std::uint64_t deadline_ns) noexcept {
  const timespec deadline{.tv_sec = static_cast<time_t>(deadline_ns / 1'000'000'000U),
                          .tv_nsec = static_cast<long>(deadline_ns % 1'000'000'000U)};
  // Not FUTEX_PRIVATE_FLAG: the sleepers are in other processes. WAIT_BITSET takes an absolute
  // time, so an interrupted wait does not begin anew.
  if (::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, expected, &deadline, nullptr,
                FUTEX_BITSET_MATCH_ANY) == 0) {
    return FutexWait::woken;
  }
  switch (errno) {
    case EAGAIN:
      return FutexWait::changed;
    case ETIMEDOUT:
      return FutexWait::timed_out;
    case EINTR:
      return FutexWait::interrupted;
    default:
      return FutexWait::failed;
  }
}

FutexWait futex_wait_for(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                         std::chrono::nanoseconds timeout) noexcept {
  const std::uint64_t now = monotonic_ns();
  const auto length = timeout.count() > 0 ? static_cast<std::uint64_t>(timeout.count()) : 0;
  return futex_wait_until(word, expected, now + length);
}

int futex_wake(const std::atomic<std::uint32_t>& word, int count) noexcept {
  const int limit = count < 0 ? INT_MAX : count;
  const long woken = ::syscall(SYS_futex, &word, FUTEX_WAKE, limit, nullptr, nullptr, 0);
  return woken > 0 ? static_cast<int>(woken) : 0;
}

}  // namespace sessionblocks::platform
