// A process that does nothing: a worker that a test opens blocks for, or who counts as a director.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "platform/process_exit.hpp"

namespace sessionblocks::director::test {

class Sleeper {
 public:
  Sleeper() : pid_(::fork()) {
    REQUIRE(pid_ >= 0);
    if (pid_ != 0) return;
    ::alarm(150);  // longer than the watchdog of its test
    for (;;) ::pause();
  }
  ~Sleeper() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  // It was killed, and executes nothing any more.
  [[nodiscard]] bool was_killed() const {
    siginfo_t info{};
    const int waits = platform::is_exiting(pid_) ? 0 : WNOHANG;  // the kernel has its work to do
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | waits);
    return info.si_pid == pid_ && info.si_code == CLD_KILLED && info.si_status == SIGKILL;
  }

 private:
  pid_t pid_;
};

}  // namespace sessionblocks::director::test
