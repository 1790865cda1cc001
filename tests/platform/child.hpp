// A forked child for one fact: it runs `body`, which returns 0 when all went as the test says.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>
#include <utility>

namespace sessionblocks::test {

inline constexpr unsigned kWatchdogSeconds = 60;
// What a child returns when this machine does not permit what the test needs.
inline constexpr int kNotPermitted = 77;

// Takes away the handlers of the test framework, which would report the child's death as its own.
void use_default_signals();

// Forks and runs `body` in the child under a watchdog; the wait status. The child never returns
// into the test framework.
template <typename Body>
int wait_status_of_child(Body&& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::alarm(kWatchdogSeconds);
    use_default_signals();
    int code = 99;
    try {
      code = body();
    } catch (...) {
    }
    ::_exit(code);
  }
  REQUIRE(pid > 0);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return status;
}

// The exit code, or 1000 + signal.
template <typename Body>
int exit_of_child(Body&& body) {
  const int status = wait_status_of_child(std::forward<Body>(body));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// A segment name that no other run of the tests has; the name is removed at the end.
std::string unique_name(const char* what);

struct NameRemover {
  explicit NameRemover(std::string taken) : name(std::move(taken)) {}
  ~NameRemover();
  NameRemover(const NameRemover&) = delete;
  NameRemover& operator=(const NameRemover&) = delete;
  std::string name;
};

// An empty folder of this test's own, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace sessionblocks::test
