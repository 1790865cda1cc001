#include "child.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "failure.hpp"

namespace sessionblocks::bench {
namespace {

constexpr int kPatienceMs = 20'000;  // for a host that cleans up
constexpr std::size_t kMostMessageBytes = 64 * 1'024;

volatile sig_atomic_t interrupted = 0;

extern "C" void remember_interrupt(int) {
  interrupted = 1;
}

void reset_signals(Child::End end) {
  ::signal(SIGINT, end == Child::End::killed ? SIG_DFL : SIG_IGN);
  ::signal(SIGTERM, end == Child::End::killed ? SIG_DFL : SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
}

[[noreturn]] void run_child(Child::End end, pid_t parent, Channel channel,
                            const std::function<void(Channel&)>& body) {
  interrupted = 0;
  reset_signals(end);
  if (end == Child::End::killed) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
  }
  int code = 0;
  try {
    body(channel);
  } catch (const std::exception& error) {
    code = 1;
    try {
      channel.send(std::string("!") + error.what());
    } catch (const std::exception&) {
      std::fprintf(stderr, "sessionbench: %s\n", error.what());
    }
  }
  std::fflush(nullptr);
  ::_exit(code);
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = remember_interrupt;  // without SA_RESTART: waits end with EINTR
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

void throw_if_interrupted() {
  if (interrupted != 0) throw Interrupted();
}

Channel::Channel(Channel&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Channel& Channel::operator=(Channel&& other) noexcept {
  if (this != &other) {
    close();
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

Channel::~Channel() {
  close();
}

void Channel::close() noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void Channel::send(const std::string& text) {
  while (::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) give_up_errno("talk to another process of the benchmark");
    throw_if_interrupted();
  }
}

bool Channel::is_ready_within(int limit_ms) const {
  throw_if_interrupted();
  pollfd readable{descriptor_, POLLIN, 0};
  return ::poll(&readable, 1, limit_ms) > 0;
}

std::string Channel::receive() {
  std::string text(kMostMessageBytes, '\0');
  for (;;) {
    // A bounded wait, since a signal may come between the look and the call.
    if (!is_ready_within(200)) continue;
    const ssize_t size = ::recv(descriptor_, text.data(), text.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
  }
}

Child::Child(End end, const std::function<void(Channel&)>& body) : end_(end) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    give_up_errno("make a socket pair");
  }
  channel_ = Channel(ends[0]);
  Channel other(ends[1]);
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) give_up_errno("fork");
  if (pid_ == 0) {
    channel_.close();
    run_child(end, parent, std::move(other), body);
  }
}

Child::Child(Child&& other) noexcept
    : end_(other.end_), pid_(std::exchange(other.pid_, -1)), channel_(std::move(other.channel_)) {}

Child::~Child() {
  end();
}

void Child::end() noexcept {
  if (pid_ < 0) return;
  channel_.close();
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  pollfd ended{handle, POLLIN, 0};
  int polled = -1;
  if (end_ == End::by_channel && handle >= 0) {
    do {
      polled = ::poll(&ended, 1, kPatienceMs);
    } while (polled < 0 && errno == EINTR);
  }
  if (polled <= 0) ::kill(pid_, SIGKILL);
  if (handle >= 0) ::close(handle);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

std::string Child::expect() {
  std::string text = channel_.receive();
  if (text.empty()) give_up("a process of the benchmark ended without a word");
  if (text.front() == '!') give_up(text.substr(1));
  return text;
}

void Child::finish() {
  if (end_ == End::killed) {
    const std::string text = channel_.receive();
    if (!text.empty()) give_up(text.front() == '!' ? text.substr(1) : "unexpected: " + text);
  }
  end();
}

}  // namespace sessionblocks::bench
