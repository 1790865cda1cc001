#include "process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace sessionblocks::stage {

namespace {

void begin_as_child() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::alarm(kWatchdogSeconds);
  // The test framework's handlers would report the child's death as the test's.
  for (const int number : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTERM, SIGINT, SIGPIPE}) {
    ::signal(number, SIG_DFL);
  }
}

void set_limit(__rlimit_resource what, rlim_t most) {
  if (most == 0) return;
  const rlimit limit{most, most};
  if (::setrlimit(what, &limit) != 0) ::_exit(125);
}

[[noreturn]] void become(const std::vector<std::string>& words, const std::string& errors,
                         const Limits& limits) {
  if (!errors.empty()) {
    ::dup2(::open(errors.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), 2);
  }
  for (const char* name : {"SESSIONBLOCKS_SOCKET", "SESSIONBLOCKS_SCOPE", "SESSIONBLOCKS_TOKEN"}) {
    ::unsetenv(name);
  }
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  set_limit(RLIMIT_NPROC, limits.processes);
  set_limit(RLIMIT_FSIZE, limits.file_bytes);
  set_limit(RLIMIT_NOFILE, limits.descriptors);
  ::execv(arguments.front(), arguments.data());
  ::_exit(126);
}

}  // namespace

void close_all_but(int first, int second) noexcept {
  const auto low = static_cast<unsigned>(std::min(first, second));
  const auto high = static_cast<unsigned>(std::max(first, second));
  if (low > 3) ::syscall(SYS_close_range, 3U, low - 1, 0U);
  if (high > low + 1) ::syscall(SYS_close_range, low + 1, high - 1, 0U);
  ::syscall(SYS_close_range, high + 1, ~0U, 0U);
}

void Link::say(const std::string& line) const {
  const std::string text = line + "\n";
  if (::write(out_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) ::_exit(124);
}

char Link::hear() const {
  char word = 0;
  if (::read(in_, &word, 1) != 1) ::_exit(123);
  return word;
}

void Link::redirect_output() const {
  ::dup2(out_, 1);
  ::dup2(out_, 2);
}

Process::Process(const std::function<int(Link&)>& body) {
  start([&](const int in, const int out) {
    close_all_but(in, out);
    Link link(in, out);
    try {
      ::_exit(body(link));
    } catch (...) {
      ::_exit(99);
    }
  });
}

Process::Process(const std::vector<std::string>& words, const std::string& errors,
                 const Limits& limits) {
  start([&](const int in, const int out) {
    ::dup2(in, 0);
    ::dup2(out, 1);
    become(words, errors, limits);
  });
}

void Process::start(const std::function<void(int in, int out)>& in_child) {
  int in[2] = {};
  int out[2] = {};
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) {
    throw std::runtime_error("no pipe");
  }
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("no process");
  if (pid_ == 0) {
    begin_as_child();
    in_child(in[0], out[1]);
  }
  ::close(in[0]);
  ::close(out[1]);
  in_ = in[1];
  out_ = out[0];
}

Process::Process(Process&& from) noexcept
    : pid_(std::exchange(from.pid_, 0)),
      in_(std::exchange(from.in_, -1)),
      out_(std::exchange(from.out_, -1)),
      status_(from.status_),
      buffered_(std::move(from.buffered_)) {}

Process::~Process() {
  if (in_ >= 0) ::close(in_);
  if (out_ >= 0) ::close(out_);
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);  // our own child, not yet reaped: the number is still its own
  ::waitpid(pid_, nullptr, 0);
}

void Process::tell(char word) const {
  // Not said: it has ended, and its exit code tells why.
  [[maybe_unused]] const auto written = ::write(in_, &word, 1);
}

std::string Process::read_line() {
  while (buffered_.find('\n') == std::string::npos) {
    char part[4'096];
    const ssize_t got = ::read(out_, part, sizeof part);
    if (got <= 0) return {};
    buffered_.append(part, static_cast<std::size_t>(got));
  }
  const auto end = buffered_.find('\n');
  std::string line = buffered_.substr(0, end);
  buffered_.erase(0, end + 1);
  return line;
}

std::string Process::read_all() {
  char part[4'096];
  for (ssize_t got = 0; (got = ::read(out_, part, sizeof part)) > 0;) {
    buffered_.append(part, static_cast<std::size_t>(got));
  }
  return std::move(buffered_);
}

void Process::signal(int number) const {
  if (pid_ != 0) ::kill(pid_, number);
}

int Process::wait() {
  if (pid_ != 0) {
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

bool Process::has_ended() {
  if (pid_ != 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = 0;
  return pid_ == 0;
}

}  // namespace sessionblocks::stage
