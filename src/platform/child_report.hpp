// How a child that has forked and not yet exec'ed tells its parent what it could not do.
//
// Everything here is called between fork and exec, where only system calls are safe.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string_view>

namespace sessionblocks::platform {

enum class ChildStep : std::uint8_t {
  descriptors = 1,
  process_group = 2,
  working_folder = 3,
  private_shm = 4,
  capabilities = 5,
  user = 6,
  no_new_privileges = 7,
  landlock = 8,
  seccomp = 9,
  exec = 10,
  mount_namespace = 11,
  read_only_files = 12,
};

constexpr std::string_view child_step_name(ChildStep step) noexcept {
  switch (step) {
    case ChildStep::descriptors:
      return "pass descriptors";
    case ChildStep::process_group:
      return "make a process group";
    case ChildStep::working_folder:
      return "enter the working folder";
    case ChildStep::private_shm:
      return "mount a private /dev/shm";
    case ChildStep::capabilities:
      return "drop capabilities";
    case ChildStep::user:
      return "change user";
    case ChildStep::no_new_privileges:
      return "set no_new_privs";
    case ChildStep::landlock:
      return "restrict files (Landlock)";
    case ChildStep::seccomp:
      return "restrict system calls (seccomp)";
    case ChildStep::exec:
      return "execute";
    case ChildStep::mount_namespace:
      return "enter a mount namespace";
    case ChildStep::read_only_files:
      return "make other files read-only";
  }
  return "unknown step";
}

// One message on the report pipe; the pipe's end without a fatal one means that exec succeeded.
struct ChildReport {
  ChildStep step = ChildStep::exec;
  bool fatal = true;
  std::int32_t number = 0;  // errno
};

class ChildReporter {
 public:
  explicit ChildReporter(int fd) noexcept : fd_(fd) {}

  // false, so that a step can be "return reporter.failed(...)".
  bool failed(ChildStep step) const noexcept { return send(step, true, errno); }
  // The child goes on without it.
  void skipped(ChildStep step, int number) const noexcept { send(step, false, number); }

 private:
  bool send(ChildStep step, bool fatal, int number) const noexcept {
    const ChildReport report{.step = step, .fatal = fatal, .number = number};
    [[maybe_unused]] const auto written = ::write(fd_, &report, sizeof(report));
    return false;
  }
  int fd_;
};

}  // namespace sessionblocks::platform
