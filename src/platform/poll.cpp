#include "platform/poll.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace sessionblocks::platform {

bool wait_until_ready(int fd, Readiness wanted,
                      std::chrono::steady_clock::time_point until) noexcept {
  const short events = wanted == Readiness::readable ? POLLIN : POLLOUT;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    if (left.count() < 0) return false;
    pollfd entry{fd, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(left.count()) + 1);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

std::uint32_t current_thread_id() noexcept {
  return static_cast<std::uint32_t>(::gettid());
}
std::uint32_t effective_user_id() noexcept {
  return ::geteuid();
}
bool path_exists(const std::string& path) noexcept {
  return ::access(path.c_str(), F_OK) == 0;
}

}  // namespace sessionblocks::platform
