#include "platform/process.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <charconv>
#include <cstring>
#include <string_view>

#include "platform/os_error.hpp"
#include "platform/proc_file.hpp"

namespace sessionblocks::platform {
namespace {

constexpr int kPidfdIdType = 3;  // P_PIDFD

Error process_error(int number, std::string_view what, const std::string& who) {
  return os_error(number == ESRCH || number == ECHILD ? ENOENT : number, what, who);
}

Result<BootId> parse_boot_id(std::string_view text) {
  BootId id{};
  std::size_t digits = 0;
  for (const char symbol : text) {
    if (symbol == '-' || symbol == '\n') continue;
    unsigned digit = 0;
    if (std::from_chars(&symbol, &symbol + 1, digit, 16).ec != std::errc() || digits == 32) {
      return fail(Errc::io_error, "boot id: not 32 hexadecimal digits");
    }
    id[digits / 2] = (id[digits / 2] << 4) | static_cast<std::byte>(digit);
    ++digits;
  }
  if (digits != 32) return fail(Errc::io_error, "boot id: not 32 hexadecimal digits");
  return id;
}

Result<std::optional<ExitStatus>> wait_child(int pidfd, int flags) {
  siginfo_t info{};
  const int answer = retry_on_eintr([&] {
    return ::waitid(static_cast<idtype_t>(kPidfdIdType), static_cast<id_t>(pidfd), &info,
                    WEXITED | flags);
  });
  if (answer != 0) {
    return tl::unexpected<Error>(process_error(errno, "wait for", "a child"));
  }
  if (info.si_pid == 0) return std::optional<ExitStatus>{};
  return std::optional(
      ExitStatus{.by_signal = info.si_code != CLD_EXITED, .number = info.si_status});
}

}  // namespace

Result<UniqueFd> open_pidfd(pid_t pid) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) {
    return tl::unexpected<Error>(process_error(errno, "open process", std::to_string(pid)));
  }
  return fd;
}

bool pidfd_ended(int pidfd) noexcept {
  pollfd entry{.fd = pidfd, .events = POLLIN, .revents = 0};
  return retry_on_eintr([&] { return ::poll(&entry, 1, 0); }) > 0;
}

Result<void> send_signal(int pidfd, int signal) {
  if (::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0) return {};
  return tl::unexpected<Error>(process_error(errno, "send signal", std::to_string(signal)));
}

std::string ExitStatus::text() const {
  if (!by_signal) return "exit code " + std::to_string(number);
  const char* name = ::sigdescr_np(number);
  return "signal " + std::to_string(number) + " (" + (name != nullptr ? name : "unknown") + ")";
}

Result<std::optional<ExitStatus>> try_reap(int pidfd) {
  return wait_child(pidfd, WNOHANG);
}

Result<ExitStatus> reap(int pidfd) {
  auto status = wait_child(pidfd, 0);
  if (!status) return tl::unexpected(status.error());
  return **status;
}

Result<BootId> boot_id() {
  static const Result<BootId> id =
      read_proc_file("/proc/sys/kernel/random/boot_id").and_then([](const std::string& text) {
        return parse_boot_id(text);
      });
  return id;
}

Result<std::uint64_t> start_ticks(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const auto line = read_proc_file(path);
  if (!line) return tl::unexpected(line.error());
  constexpr int kStartTime = 22;
  const auto ticks = stat_field(*line, kStartTime);
  if (!ticks) return fail(Errc::io_error, path + ": no start time");
  return *ticks;
}

Result<std::uint64_t> pid_namespace() {
  struct stat status {};
  if (::stat("/proc/self/ns/pid", &status) != 0) return fail_errno("stat", "/proc/self/ns/pid");
  return static_cast<std::uint64_t>(status.st_ino);
}

Result<std::uint64_t> mount_namespace(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/mnt";
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fail_errno("stat", path);
  return static_cast<std::uint64_t>(status.st_ino);
}

Result<ProcessIdentity> ProcessIdentity::of(pid_t pid) {
  const auto ticks = platform::start_ticks(pid);
  if (!ticks) return tl::unexpected(ticks.error());
  const auto boot = boot_id();
  if (!boot) return tl::unexpected(boot.error());
  return ProcessIdentity{.pid = pid, .start_ticks = *ticks, .boot = *boot};
}

Result<ProcessIdentity> ProcessIdentity::self() {
  return of(::getpid());
}

bool ProcessIdentity::alive() const {
  const auto pidfd = open();
  if (pidfd) return !pidfd_ended(pidfd->get());
  return !(pidfd.error() == Errc::gone) && !(pidfd.error() == Errc::invalid_argument);
}

Result<UniqueFd> ProcessIdentity::open() const {
  if (pid <= 0) return fail(Errc::invalid_argument, "open process: pid " + std::to_string(pid));
  // First the pidfd, then the check: from here on the pid cannot change hands unnoticed, because a
  // process that ended after this has no other start time to show.
  auto pidfd = open_pidfd(pid);
  if (!pidfd && pidfd.error() == Errc::not_found) {
    return fail(Errc::gone, "process " + std::to_string(pid));
  }
  if (!pidfd) return pidfd;
  const auto now = of(pid);
  if (!now && !(now.error() == Errc::not_found)) return tl::unexpected(now.error());
  if (!now || !(*now == *this)) return fail(Errc::gone, "process " + std::to_string(pid));
  return pidfd;
}

}  // namespace sessionblocks::platform
