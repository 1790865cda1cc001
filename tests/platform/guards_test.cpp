#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "child.hpp"
#include "platform/bus_guard.hpp"
#include "platform/event_fd.hpp"
#include "platform/file_lock.hpp"
#include "platform/fork_guard.hpp"
#include "platform/random.hpp"
#include "platform/shared_segment.hpp"

using namespace sessionblocks;
using namespace sessionblocks::platform;
using test::exit_of_child;

namespace {

extern "C" void exit_with_42(int) {
  ::_exit(42);
}

// A mapping whose second page is behind the end of its file. Its name is gone at once, because the
// fault may kill.
struct Truncated {
  Mapping mapping;

  explicit Truncated(Access access) {
    const std::string name = test::unique_name("bus");
    const auto segment = SharedSegment::create(name, 8192);
    mapping = std::move(segment->map(access).value());
    if (!SharedSegment::unlink(name) || ::ftruncate(segment->fd(), 4096) != 0) ::_exit(90);
  }
  volatile std::byte* missing() const { return mapping.data() + 4096 + 17; }
};

}  // namespace

TEST_CASE("a store behind the end of the file latches corrupt and goes on") {
  CHECK(exit_of_child([] {
          const Truncated file(Access::read_write);
          std::atomic<bool> corrupt{false};
          const auto guard = BusGuard::watch(file.mapping, corrupt);
          *file.missing() = std::byte{5};
          if (*file.missing() != std::byte{5}) return 1;
          return corrupt.load(std::memory_order_acquire) ? 0 : 2;
        }) == 0);
}

TEST_CASE("without a guard, and after one has ended, the fault kills as ever") {
  CHECK(exit_of_child([] {
          const Truncated file(Access::read_write);
          return static_cast<int>(*file.missing());
        }) == 1000 + SIGBUS);
  CHECK(exit_of_child([] {
          const Truncated file(Access::read_write);
          std::atomic<bool> corrupt{false};
          { const auto guard = BusGuard::watch(file.mapping, corrupt); }
          return static_cast<int>(*file.missing());
        }) == 1000 + SIGBUS);
}

TEST_CASE("a fault elsewhere goes to the handler that was there before") {
  CHECK(exit_of_child([] {
          ::signal(SIGBUS, exit_with_42);
          const Truncated guarded(Access::read_write);
          const Truncated other(Access::read_write);
          std::atomic<bool> corrupt{false};
          const auto guard = BusGuard::watch(guarded.mapping, corrupt);
          return static_cast<int>(*other.missing());
        }) == 42);
}

TEST_CASE("a SIGBUS that somebody sends keeps its default effect") {
  CHECK(exit_of_child([] {
          const Truncated guarded(Access::read_write);
          std::atomic<bool> corrupt{false};
          const auto guard = BusGuard::watch(guarded.mapping, corrupt);
          ::kill(::getpid(), SIGBUS);
          return 0;
        }) == 1000 + SIGBUS);
}

TEST_CASE("the places for guards are counted and used again") {
  // In a child, because the handler stays in the process that first watches.
  CHECK(exit_of_child([] {
          const auto mapping = Mapping::anonymous(4096);
          std::atomic<bool> corrupt{false};
          std::vector<BusGuard> guards;
          for (std::size_t index = 0; index < BusGuard::kMaxRanges; ++index) {
            auto guard = BusGuard::watch(*mapping, corrupt);
            if (!guard) return 1;
            guards.push_back(std::move(*guard));
          }
          if (!(BusGuard::watch(*mapping, corrupt).error() == Errc::too_many)) return 2;
          guards.pop_back();
          return BusGuard::watch(*mapping, corrupt) ? 0 : 3;
        }) == 0);
}

TEST_CASE("a forked child knows, however it was made, and arms with a number of its own") {
  const std::uint64_t mine = arm_fork_guard();
  CHECK(mine != 0);
  CHECK(arm_fork_guard() == mine);
  CHECK_FALSE(in_forked_child());
  const int code = exit_of_child([mine] {
    if (!in_forked_child()) return 1;
    if (arm_fork_guard() == mine) return 2;
    if (in_forked_child()) return 3;
    return exit_of_child([] { return in_forked_child() ? 0 : 4; });
  });
  CHECK(code == 0);
  // A clone that glibc does not see.
  const long raw = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (raw == 0) ::syscall(SYS_exit_group, in_forked_child() ? 0 : 1);
  int status = 0;
  REQUIRE(::waitpid(static_cast<pid_t>(raw), &status, 0) == raw);
  CHECK(status == 0);
  CHECK(fork_epoch() == mine);
}

TEST_CASE("one holder at a time; the second is told who; death gives the lock back") {
  const test::TemporaryFolder folder;
  const std::string path = folder.path() + "/lock";
  CHECK_FALSE(FileLock::holder(path));
  {
    const auto lock = FileLock::acquire(path);
    REQUIRE(lock);
    CHECK(FileLock::holder(path) == ::getpid());
    const auto second = FileLock::acquire(path);
    REQUIRE_FALSE(second);
    CHECK(second.error() == Errc::already_running);
    CHECK(second.error().context().find("process " + std::to_string(::getpid())) !=
          std::string::npos);
  }
  CHECK_FALSE(FileLock::holder(path));
  CHECK(exit_of_child([&] {
          const auto lock = FileLock::acquire(path);
          ::raise(SIGKILL);
          return 0;
        }) == 1000 + SIGKILL);
  CHECK(FileLock::acquire(path).has_value());
}

TEST_CASE("a lock file that is a link elsewhere is refused, its target untouched") {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() + "/precious") << "text";
  REQUIRE(::symlink((folder.path() + "/precious").c_str(), (folder.path() + "/lock").c_str()) == 0);
  CHECK_FALSE(FileLock::acquire(folder.path() + "/lock"));
  std::string text;
  std::ifstream(folder.path() + "/precious") >> text;
  CHECK(text == "text");
}

TEST_CASE("an event is signalled until it is taken") {
  const auto event = EventFd::create();
  REQUIRE(event);
  CHECK_FALSE(event->take());
  event->signal();
  event->signal();
  CHECK(event->take());
  CHECK_FALSE(event->take());
}

TEST_CASE("random numbers differ") {
  CHECK(random_u64().value() != random_u64().value());
}
