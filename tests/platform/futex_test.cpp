#include "platform/futex.hpp"

#include <catch2/catch.hpp>
#include <new>

#include "child.hpp"
#include "platform/clock.hpp"
#include "platform/shared_segment.hpp"

using namespace sessionblocks;
using namespace sessionblocks::platform;
using namespace std::chrono_literals;

TEST_CASE("a child that waits through a read-only mapping is woken by its parent") {
  const test::NameRemover name{test::unique_name("futex")};
  const auto segment = SharedSegment::create(name.name, 4096);
  REQUIRE(segment);
  const auto mapping = segment->map(Access::read_write);
  auto* const word = new (mapping->data()) std::atomic<std::uint32_t>(0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(test::kWatchdogSeconds);
    const auto mine = SharedSegment::open_existing(name.name, Access::read_only);
    const auto map = mine->map(Access::read_only);
    const auto& seen = *reinterpret_cast<const std::atomic<std::uint32_t>*>(map->data());
    while (seen.load(std::memory_order_acquire) == 0) {
      const FutexWait outcome = futex_wait_for(seen, 0, 50s);
      if (outcome != FutexWait::woken && outcome != FutexWait::changed) ::_exit(1);
    }
    ::_exit(0);
  }
  // Wake until somebody was asleep, or the child saw the change without sleeping.
  // Its watchdog ends the child if no wake ever reaches it; then there is nobody to wake.
  siginfo_t ended{};
  while (futex_wake(*word) == 0 && ended.si_pid == 0) {
    REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT) == 0);
    ::sched_yield();
  }
  word->store(1, std::memory_order_release);
  futex_wake(*word);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a wait ends at its time, and does not begin when the word has changed") {
  const std::atomic<std::uint32_t> word{5};
  CHECK(futex_wait_for(word, 4, 10s) == FutexWait::changed);
  const std::uint64_t before = monotonic_ns();
  CHECK(futex_wait_for(word, 5, 2ms) == FutexWait::timed_out);
  CHECK(monotonic_ns() - before >= 2'000'000);
  CHECK(futex_wait_for(word, 5, -1s) == FutexWait::timed_out);
  CHECK(futex_wait_until(word, 5, 0) == FutexWait::timed_out);
  CHECK(futex_wake(word) == 0);
}
