#include "sessionctl_fixture.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace sessionctl_test {
namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// Between fork and exec: no watchdog of ours, and no environment of another system.
[[noreturn]] void become(const std::vector<std::string>& words) {
  ::alarm(kWatchdogSeconds);
  for (const char* name : {"SESSIONBLOCKS_SOCKET", "SESSIONBLOCKS_SCOPE", "SESSIONBLOCKS_TOKEN"}) {
    ::unsetenv(name);
  }
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execv(arguments.front(), arguments.data());
  ::_exit(126);
}

int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Outcome run(const std::vector<std::string>& words, std::string_view input) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "in", std::ios::binary) << input;
  const pid_t child = ::fork();
  if (child == 0) {
    const int in = ::open((folder.path() / "in").c_str(), O_RDONLY);
    const int out = ::open((folder.path() / "out").c_str(), O_WRONLY | O_CREAT, 0600);
    const int err = ::open((folder.path() / "err").c_str(), O_WRONLY | O_CREAT, 0600);
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(err, 2);
    become(words);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) throw std::runtime_error("cannot wait");
  return {code_of(status), contents(folder.path() / "out"), contents(folder.path() / "err")};
}

}  // namespace

DirectedSystem::DirectedSystem(std::string_view suite_toml)
    : name_("ctltest" + std::to_string(::getpid())) {
  ::alarm(kWatchdogSeconds);
  fs::create_directory(folder());
  write_file("suite.toml", suite_toml);
}

DirectedSystem::~DirectedSystem() {
  try {
    if (director_ != 0) {
      ::kill(director_, SIGTERM);
      wait();
    }
    if (!segments().empty()) kill_workers();
    ctl({"clean"});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cleaning up: %s\n", error.what());
  }
  for (const std::string& name : segments()) ::unlink(("/dev/shm/" + name).c_str());
}

void DirectedSystem::start(const std::string& verb, const std::vector<std::string>& more) {
  int ends[2] = {};
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  director_ = ::fork();
  if (director_ == 0) {
    ::dup2(ends[1], 2);
    std::vector<std::string> words = {FLOWDIRECTOR,       verb,         suite_file(),
                                      "--system",         name_,        "--runtime-dir",
                                      runtime().native(), "--grace-ms", "1000"};
    words.insert(words.end(), more.begin(), more.end());
    become(words);
  }
  ::close(ends[1]);
  director_output_ = ends[0];
  std::string said;
  std::array<char, 512> buffer{};
  while (verb == "serve" && said.find("director of system") == std::string::npos) {
    const ssize_t length = ::read(director_output_, buffer.data(), buffer.size());
    if (length <= 0) throw std::runtime_error("the director did not start: " + said);
    said.append(buffer.data(), static_cast<std::size_t>(length));
  }
  // What it says later must not fill the pipe.
  if (::fcntl(director_output_, F_SETPIPE_SZ, 1 << 20) < 0) throw std::runtime_error("pipe size");
}

int DirectedSystem::wait() {
  int status = 0;
  if (::waitpid(director_, &status, 0) != director_) throw std::runtime_error("cannot wait");
  director_ = 0;
  ::close(director_output_);
  return code_of(status);
}

void DirectedSystem::kill_director() {
  ::kill(director_, SIGKILL);
  wait();
}

int DirectedSystem::stop_director() {
  ::kill(director_, SIGTERM);
  return wait();
}

void DirectedSystem::pause_director() {
  ::kill(director_, SIGSTOP);
  int status = 0;
  if (::waitpid(director_, &status, WUNTRACED) != director_ || !WIFSTOPPED(status)) {
    throw std::runtime_error("it does not stop");
  }
}

void DirectedSystem::resume_director() {
  ::kill(director_, SIGCONT);
}

Outcome DirectedSystem::ctl(std::vector<std::string> arguments, std::string_view input) const {
  std::vector<std::string> words = {SESSIONCTL, "--system", name_, "--runtime-dir",
                                    runtime().native()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return run(words, input);
}

Outcome DirectedSystem::plain_ctl(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), SESSIONCTL);
  return run(arguments, {});
}

std::vector<std::string> DirectedSystem::segments() const {
  std::vector<std::string> names;
  const std::string prefix = "sessionblocks." + std::to_string(::geteuid()) + "." + name_ + ".";
  for (const auto& entry : fs::directory_iterator("/dev/shm")) {
    const std::string name = entry.path().filename();
    if (name.rfind(prefix, 0) == 0) names.push_back(name);
  }
  return names;
}

void DirectedSystem::write_file(const std::string& name, std::string_view text,
                                bool executable) const {
  std::ofstream(folder() / name, std::ios::binary) << text;
  if (executable) ::chmod((folder() / name).c_str(), 0755);
}

std::string DirectedSystem::read_file(const std::string& name) const {
  return contents(folder() / name);
}

void DirectedSystem::kill_workers() const {
  const nlohmann::json listed = ctl({"ls", "workers", "-o", "json"}).json();
  for (const auto& worker : listed.at("workers")) {
    if (worker.at("director").get<bool>() || !worker.at("alive").get<bool>()) continue;
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, worker.at("pid").get<pid_t>(), 0));
    if (pidfd < 0) continue;
    ::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
    pollfd ended{.fd = pidfd, .events = POLLIN, .revents = 0};
    ::poll(&ended, 1, -1);
    ::close(pidfd);
  }
}

}  // namespace sessionctl_test
