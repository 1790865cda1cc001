#include "confined.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>

#include "process.hpp"

namespace sessionblocks::stage {
namespace {

bool write_file(const char* path, const std::string& text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  const bool written =
      fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return written;
}

// Who is not root becomes root of a user namespace first.
bool enter_mount_namespace() {
  const std::string uid = std::to_string(::geteuid());
  const std::string gid = std::to_string(::getegid());
  if (::unshare(CLONE_NEWNS) == 0) return true;
  return ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
         write_file("/proc/self/setgroups", "deny") &&
         write_file("/proc/self/uid_map", uid + " " + uid + " 1\n") &&
         write_file("/proc/self/gid_map", gid + " " + gid + " 1\n");
}

}  // namespace

void run_hidden(const std::string& tag, const std::function<int()>& prepare) {
  ::alarm(kWatchdogSeconds);
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").native();
  Process inner([&](Link& link) {
    ::alarm(0);  // the case has a watchdog of its own
    link.redirect_output();
    if (const int code = prepare(); code != 0) return code;
    ::execl(program.c_str(), program.c_str(), tag.c_str(), nullptr);
    return 126;
  });
  const std::string said = inner.read_all();
  const int code = inner.wait();
  if (code == kNotPermitted) {
    WARN("this machine does not permit it");
    return;
  }
  INFO(said);
  CHECK(code == 0);
}

int enter_small_shm(std::uint64_t bytes) {
  const std::string options = "mode=1777,size=" + std::to_string(bytes);
  const bool entered =
      enter_mount_namespace() &&
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
      ::mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) == 0;
  return entered ? 0 : kNotPermitted;
}

namespace {
constexpr const char* kBalloon = "/dev/shm/balloon";
}  // namespace

Balloon::Balloon() : fd_(::open(kBalloon, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {
  struct statvfs shm {};
  REQUIRE(::statvfs("/dev/shm", &shm) == 0);
  REQUIRE(std::uint64_t{shm.f_blocks} * shm.f_frsize <= (std::uint64_t{64} << 20U));
}

Balloon::~Balloon() {
  ::close(fd_);
  ::unlink(kBalloon);
}

void Balloon::blow_up() const {
  while (true) {
    struct statvfs shm {};
    REQUIRE(::statvfs("/dev/shm", &shm) == 0);
    const auto room = static_cast<off_t>(shm.f_bavail * shm.f_frsize);
    if (room == 0) return;
    (void)::fallocate(fd_, 0, ::lseek(fd_, 0, SEEK_END), room);
  }
}

void Balloon::let_out() const {
  REQUIRE(::ftruncate(fd_, 0) == 0);
}

}  // namespace sessionblocks::stage
