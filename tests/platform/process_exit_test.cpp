#include "platform/process_exit.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

#include "child.hpp"
#include "platform/process.hpp"

using namespace sessionblocks;
using namespace sessionblocks::platform;

namespace {

constexpr std::size_t kCounters = 4;
constexpr std::size_t kBytes = std::size_t{64} << 20U;  // the kernel takes a while to unmap them

using Counters = std::array<std::atomic<std::uint64_t>, kCounters>;

class Counting {
 public:
  Counting() {
    void* const memory =
        ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    counters_ = new (memory) Counters{};
    pid_ = ::fork();
    if (pid_ == 0) count();
    REQUIRE(pid_ > 0);
    pidfd_ = open_pidfd(pid_).value();
    while (!is_counting()) std::this_thread::yield();
  }
  ~Counting() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::munmap(counters_, kBytes);
  }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }
  [[nodiscard]] std::array<std::uint64_t, kCounters> values() const {
    std::array<std::uint64_t, kCounters> seen{};
    for (std::size_t i = 0; i < kCounters; ++i) seen[i] = (*counters_)[i].load();
    return seen;
  }

 private:
  [[noreturn]] void count() {
    ::alarm(test::kWatchdogSeconds);
    ::prctl(PR_SET_NAME, "odd ) Z 4 4 4 (");  // the stat line's parser must cope
    auto* const bytes = reinterpret_cast<std::byte*>(counters_);
    for (std::size_t at = 4'096; at < kBytes; at += 4'096) bytes[at] = std::byte{1};
    for (std::size_t i = 1; i < kCounters; ++i) {
      std::thread([this, i] {
        for (;;) (*counters_)[i].fetch_add(1);
      }).detach();
    }
    for (;;) (*counters_)[0].fetch_add(1);
  }
  [[nodiscard]] bool is_counting() const {
    for (const std::uint64_t value : values()) {
      if (value == 0) return false;
    }
    return true;
  }

  Counters* counters_ = nullptr;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
};

auto in_a_while() {
  return std::chrono::steady_clock::now() + std::chrono::seconds(test::kWatchdogSeconds);
}

}  // namespace

TEST_CASE("a process that is exiting executes nothing any more, on no thread") {
  ::alarm(test::kWatchdogSeconds);
  for (int i = 0; i < 20; ++i) {
    const Counting process;
    CHECK_FALSE(is_exiting(process.pid()));
    REQUIRE(send_signal(process.pidfd(), SIGKILL));
    REQUIRE(wait_until_exiting(process.pidfd(), process.pid(), in_a_while()));
    const auto seen = process.values();
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(process.pid()), &info, WEXITED | WNOWAIT) == 0);
    CHECK(process.values() == seen);
    CHECK(is_exiting(process.pid()));  // a zombie
    CHECK(wait_until_exiting(process.pidfd(), process.pid(), {}));
  }
  ::alarm(0);
}

TEST_CASE("who was not killed is not exiting, and is waited for no longer than asked") {
  const Counting process;
  using namespace std::chrono_literals;
  CHECK_FALSE(
      wait_until_exiting(process.pidfd(), process.pid(), std::chrono::steady_clock::now() + 5ms));
  REQUIRE(::kill(process.pid(), SIGSTOP) == 0);
  CHECK_FALSE(is_exiting(process.pid()));
  REQUIRE(::kill(process.pid(), SIGKILL) == 0);
  CHECK(wait_until_exiting(process.pidfd(), process.pid(), in_a_while()));
}
