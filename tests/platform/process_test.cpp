#include "platform/process.hpp"

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

#include "child.hpp"
#include "platform/membarrier.hpp"

using namespace sessionblocks;
using namespace sessionblocks::platform;

namespace {

pid_t start_sleeper() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(test::kWatchdogSeconds);
    ::prctl(PR_SET_NAME, "odd ) name (");  // the stat line's parser must cope
    while (true) ::pause();
  }
  REQUIRE(child > 0);
  return child;
}

}  // namespace

TEST_CASE("a process is alive until its end, a zombie is not, and a new start time is another") {
  const pid_t child = start_sleeper();
  auto identity = ProcessIdentity::of(child);
  REQUIRE(identity);
  CHECK(identity->alive());
  auto reused = *identity;
  reused.start_ticks += 1;
  CHECK_FALSE(reused.alive());
  CHECK(reused.open().error() == Errc::gone);
  auto other_boot = *identity;
  other_boot.boot[3] ^= std::byte{1};
  CHECK_FALSE(other_boot.alive());

  const auto pidfd = identity->open();
  REQUIRE(pidfd);
  CHECK_FALSE(pidfd_ended(pidfd->get()));
  CHECK_FALSE(try_reap(pidfd->get())->has_value());
  REQUIRE(send_signal(pidfd->get(), SIGKILL));
  siginfo_t info{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
  CHECK(pidfd_ended(pidfd->get()));
  CHECK_FALSE(identity->alive());  // a zombie
  const auto status = reap(pidfd->get());
  REQUIRE(status);
  CHECK(status->by_signal);
  CHECK(status->number == SIGKILL);
  CHECK(status->text() == "signal 9 (Killed)");
  CHECK_FALSE(identity->alive());
  CHECK(try_reap(pidfd->get()).error() == Errc::not_found);
  CHECK(send_signal(pidfd->get(), 0).error() == Errc::not_found);
}

TEST_CASE("a process whose first thread has ended lives while another thread runs") {
  int gate[2];
  REQUIRE(::pipe(gate) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(test::kWatchdogSeconds);
    ::close(gate[1]);
    std::thread([gate] {
      char byte;
      [[maybe_unused]] const auto ended = ::read(gate[0], &byte, 1);
      ::_exit(7);
    }).detach();
    ::syscall(SYS_exit, 0);  // this thread only
  }
  ::close(gate[0]);
  const auto identity = ProcessIdentity::of(child);
  REQUIRE(identity);
  // Wait until the first thread is a zombie, by looking at the process, not at the clock.
  const std::string path = "/proc/" + std::to_string(child) + "/stat";
  while (true) {
    char text[512] = {};
    FILE* const file = ::fopen(path.c_str(), "r");
    REQUIRE(file != nullptr);
    REQUIRE(::fread(text, 1, sizeof(text) - 1, file) > 0);
    ::fclose(file);
    if (std::string(text).find(") Z ") != std::string::npos) break;
    ::sched_yield();
  }
  CHECK(identity->alive());
  ::close(gate[1]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 7);
}

TEST_CASE("boot and pid namespace are the same when asked again") {
  CHECK(boot_id().value() == boot_id().value());
  CHECK(pid_namespace().value() == pid_namespace().value());
  CHECK(ProcessIdentity::self()->alive());
  CHECK(ProcessIdentity::of(0x3ffffff).error() == Errc::not_found);
  CHECK(ProcessIdentity{}.alive() == false);
}

TEST_CASE("the barrier reaches this process") {
  REQUIRE(register_for_membarrier());
  REQUIRE(membarrier_everywhere());
}
