#include "platform/file_lock.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>

#include <charconv>
#include <chrono>
#include <string_view>
#include <thread>

#include "platform/os_error.hpp"
#include "platform/process.hpp"

namespace sessionblocks::platform {
namespace {

std::optional<pid_t> read_pid(int fd) noexcept {
  char text[24];
  const ssize_t length = ::pread(fd, text, sizeof(text), 0);
  if (length <= 0) return std::nullopt;
  pid_t pid = 0;
  const auto parsed = std::from_chars(text, text + length, pid);
  if (parsed.ec != std::errc() || pid <= 0) return std::nullopt;
  return pid;
}

// holder() has the lock shared for an instant; only who is still there after a few tries holds it.
bool try_lock(int fd) noexcept {
  constexpr int kTries = 16;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK && errno != EINTR) return false;
    ::sched_yield();
  }
  errno = EWOULDBLOCK;
  return false;
}

// A holder that was killed while it started a program: its child has the lock too, until it runs
// the program or ends, either at once.
constexpr int kTriesForChild = 2'000;

bool runs(pid_t pid) noexcept {
  const auto pidfd = open_pidfd(pid);
  return pidfd && !pidfd_ended(pidfd->get());
}

Result<void> write_pid(int fd, const std::string& path) {
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return fail_errno("write own pid into lock file", path);
  }
  return {};
}

}  // namespace

Result<FileLock> FileLock::acquire(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno("open lock file", path);
  for (int tries = 0; !try_lock(fd.get()); ++tries) {
    if (errno != EWOULDBLOCK) return fail_errno("lock", path);
    const auto pid = read_pid(fd.get());
    if (pid && !runs(*pid) && tries < kTriesForChild) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      continue;
    }
    return fail(Errc::already_running,
                "lock " + path + ": held by " +
                    (pid ? "process " + std::to_string(*pid) : std::string("another process")));
  }
  if (auto written = write_pid(fd.get(), path); !written) {
    return tl::unexpected(written.error());
  }
  return FileLock(std::move(fd));
}

std::optional<pid_t> FileLock::holder(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return std::nullopt;
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;  // free; given back at once
  return read_pid(fd.get());
}

}  // namespace sessionblocks::platform
