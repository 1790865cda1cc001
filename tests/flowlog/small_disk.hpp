// A disk that takes little, for a child of the test.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace sessionblocks::flowlog::testing {

// Runs `body` in a child in which no file grows beyond `bytes`; returns its exit status.
template <typename Body>
int in_small_disk(rlim_t bytes, Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    ::signal(SIGXFSZ, SIG_IGN);  // then write() says EFBIG
    struct rlimit limit {};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

inline void raise_limit() {
  struct rlimit limit {};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

}  // namespace sessionblocks::flowlog::testing
