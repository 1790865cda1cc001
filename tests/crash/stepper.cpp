#include "stepper.hpp"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string>

// Where a stopped child is sent to fork itself.
asm(".text\n.globl sessionblocks_crash_syscall\nsessionblocks_crash_syscall:\n  syscall\n  int3\n");
extern "C" void sessionblocks_crash_syscall();

namespace sessionblocks::crash {

Stepper::Stepper(const std::function<void()>& act) {
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(99);
    // Our handlers belong to the test framework; here a fault shall end the child.
    for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGTERM}) {
      std::signal(signal, SIG_DFL);
    }
    asm volatile("int3");
    act();
    _exit(0);
  }
  if (!wait_stopped()) throw std::runtime_error("the child does not let itself be traced");
  ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK);
}

Stepper::~Stepper() {
  kill();
}

bool Stepper::wait_stopped() {
  while (waitpid(pid_, &status_, __WALL) < 0) {
    if (errno != EINTR) return false;
  }
  if (WIFSTOPPED(status_)) return true;
  pid_ = -1;
  return false;
}

bool Stepper::step() {
  if (pid_ < 0) return false;
  ++steps_;
  if (ptrace(PTRACE_SINGLESTEP, pid_, nullptr, nullptr) != 0) return false;
  if (!wait_stopped()) return false;
  if (WSTOPSIG(status_) == SIGTRAP) return true;
  throw std::runtime_error("the child was stopped by signal " + std::to_string(WSTOPSIG(status_)));
}

bool Stepper::step(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!step()) return false;
  }
  return true;
}

bool Stepper::finish() {
  if (pid_ >= 0) {
    ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
    if (wait_stopped()) {  // a fault, or the alarm
      kill();
      return false;
    }
  }
  return WIFEXITED(status_) && WEXITSTATUS(status_) == 0;
}

Stepper Stepper::clone() const {
  user_regs_struct saved{};
  ptrace(PTRACE_GETREGS, pid_, nullptr, &saved);
  user_regs_struct forking = saved;
  forking.rip = reinterpret_cast<std::uint64_t>(&sessionblocks_crash_syscall);
  // Its twin is our child, so that we reap it: it would be a zombie of the other one's otherwise.
  forking.rax = SYS_clone;
  forking.rdi = CLONE_PARENT | SIGCHLD;
  forking.rsi = 0;  // the same stack
  forking.orig_rax = ~0ULL;
  ptrace(PTRACE_SETREGS, pid_, nullptr, &forking);
  int status = 0;
  unsigned long twin = 0;
  ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
  if (waitpid(pid_, &status, __WALL) != pid_) throw std::runtime_error("the child was lost");
  if (status >> 8 != (SIGTRAP | (PTRACE_EVENT_FORK << 8)) ||
      ptrace(PTRACE_GETEVENTMSG, pid_, nullptr, &twin) != 0) {
    throw std::runtime_error("the child did not fork");
  }
  ptrace(PTRACE_CONT, pid_, nullptr, nullptr);  // to the int3 behind the system call
  if (waitpid(pid_, &status, 0) != pid_ || !WIFSTOPPED(status)) {
    throw std::runtime_error("the child was lost while it forked");
  }
  Stepper other(static_cast<pid_t>(twin));
  other.steps_ = steps_;
  if (!other.wait_stopped()) throw std::runtime_error("the twin was lost");
  saved.orig_rax = ~0ULL;
  ptrace(PTRACE_SETREGS, pid_, nullptr, &saved);
  ptrace(PTRACE_SETREGS, other.pid_, nullptr, &saved);
  return other;
}

std::uint64_t Stepper::address() const {
  user_regs_struct registers{};
  ptrace(PTRACE_GETREGS, pid_, nullptr, &registers);
  return registers.rip;
}

void Stepper::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  while (waitpid(pid_, &status_, __WALL) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

}  // namespace sessionblocks::crash
