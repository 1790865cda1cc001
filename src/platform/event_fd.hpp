// A descriptor that becomes readable when somebody signals it: for other people's event loops.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <sessionblocks/error.hpp>

#include "platform/os_error.hpp"
#include "platform/unique_fd.hpp"

namespace sessionblocks::platform {

class EventFd {
 public:
  // Non-blocking, close-on-exec, not signalled. too_many: no descriptor left.
  [[nodiscard]] static Result<EventFd> create() {
    UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd) return fail_errno("eventfd");
    return EventFd(std::move(fd));
  }

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // Makes it readable; from any thread or signal handler. A full counter is signalled already.
  void signal() const noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof(one));
  }
  // Takes all signals so far; whether there was one.
  [[nodiscard]] bool take() const noexcept {
    std::uint64_t count = 0;
    return ::read(fd_.get(), &count, sizeof(count)) == sizeof(count);
  }

 private:
  explicit EventFd(UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace sessionblocks::platform
