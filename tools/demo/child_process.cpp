#include "child_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace demo {
namespace {

[[noreturn]] void become(const std::vector<char*>& arguments, const std::string& output,
                         pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);  // the driver died before the line above
  const int fd = output.empty()
                     ? dup(STDERR_FILENO)
                     : open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0) _exit(127);
  execv(arguments[0], arguments.data());
  _exit(127);
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments,
                           const std::filesystem::path& output) {
  std::vector<char*> raw;
  raw.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  const std::string output_path = output.string();
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) become(raw, output_path, parent);
}

ChildProcess::~ChildProcess() {
  ask_to_end();
  wait();
}

bool ChildProcess::is_running() {
  int status = 0;
  if (pid_ > 0 && waitpid(pid_, &status, WNOHANG) == pid_) note_end(status);
  return pid_ > 0;
}

void ChildProcess::ask_to_end() {
  if (is_running()) kill(pid_, SIGTERM);
}

int ChildProcess::wait() {
  int status = 0;
  while (pid_ > 0) {
    if (waitpid(pid_, &status, 0) == pid_) {
      note_end(status);
    } else if (errno != EINTR) {
      pid_ = -1;
    }
  }
  return exit_code_;
}

void ChildProcess::note_end(int status) {
  pid_ = -1;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace demo
