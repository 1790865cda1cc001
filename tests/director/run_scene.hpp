// The program flowdirector over a suite of a test's own: scripts are shells, or this test program
// again, as one of its hidden cases.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <cstdlib>
#include <sstream>

#include "platform/process.hpp"
#include "platform/spawn.hpp"
#include "raw_client.hpp"

namespace sessionblocks::director::test {

struct Pipe {
  Pipe() {
    int ends[2] = {};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    reading.reset(ends[0]);
    writing.reset(ends[1]);
  }
  platform::UniqueFd reading, writing;
};

// Whether a process of the group runs; those that ended and were not reaped do not.
inline bool group_runs(pid_t group) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (!std::getline(file, line) || line.rfind(')') == std::string::npos) continue;
    std::istringstream fields(line.substr(line.rfind(')') + 1));
    char state = 0;
    pid_t parent = 0;
    pid_t its_group = 0;
    if (fields >> state >> parent >> its_group && its_group == group && state != 'Z') return true;
  }
  return false;
}

// SIGKILL was sent; the kernel carries it out in its own time. The watchdog bounds this.
inline void wait_for_end_of_group(pid_t group) {
  while (group_runs(group)) ::sched_yield();
}

// A suite folder beside the runtime folder, and directors over both.
class Scene {
 public:
  explicit Scene(const std::string& suite) {
    fs::create_directories(around.directory() / "suite" / "out");
    std::ofstream(suite_file()) << "schema = 1\n[suite]\nname = \"shop\"\n" << suite;
  }
  ~Scene() {
    for (const pid_t leader : leaders) {
      if (group_runs(leader)) ::kill(-leader, SIGKILL);
    }
    if (!pidfd) return;
    static_cast<void>(platform::send_signal(pidfd.get(), SIGKILL));
    static_cast<void>(platform::reap(pidfd.get()));
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  [[nodiscard]] fs::path suite_file() const { return around.directory() / "suite" / "suite.toml"; }
  [[nodiscard]] fs::path out(const std::string& name) const {
    return around.directory() / "suite" / "out" / name;
  }

  void start(std::vector<std::string> more = {}) {
    Pipe pipe;
    platform::Program program;
    program.path = FLOWDIRECTOR;
    program.arguments = {"flowdirector",  "run",           suite_file(),     "--system",
                         around.system(), "--runtime-dir", around.runtime(), "-v",
                         "--no-log"};
    program.arguments.insert(program.arguments.end(), more.begin(), more.end());
    program.environment = {"PATH=/usr/bin:/bin"};
    program.standard_error = pipe.writing.get();
    auto child = platform::spawn(program);
    REQUIRE(child);
    pidfd = std::move(child->pidfd);
    errors = std::move(pipe.reading);
    said.clear();
  }
  // Reads what the director says until it has said this, or has ended.
  bool wait_for(const std::string& text) {
    char buffer[4'096];
    while (said.find(text) == std::string::npos) {
      const ssize_t length = ::read(errors.get(), buffer, sizeof buffer);
      if (length <= 0) return false;
      said.append(buffer, static_cast<std::size_t>(length));
    }
    return true;
  }
  void kill(int number) { REQUIRE(platform::send_signal(pidfd.get(), number)); }
  platform::ExitStatus wait() {
    // Not until the end of the pipe: scripts that outlive a killed director hold it too.
    auto status = platform::reap(pidfd.get());
    REQUIRE(status);
    pidfd.reset();
    REQUIRE(::fcntl(errors.get(), F_SETFL, O_NONBLOCK) == 0);
    static_cast<void>(wait_for("what is never said"));
    return *status;
  }
  int exit_code() {
    const auto status = wait();
    INFO(said);
    CHECK_FALSE(status.by_signal);
    return status.number;
  }
  [[nodiscard]] bool left_nothing() const {
    return around.segments().empty() && !fs::exists(around.runtime());
  }
  // The pid behind "started   shop/NAME: pid N".
  pid_t pid_of(const std::string& scope) {
    const std::string before = scope + ": pid ";
    REQUIRE(wait_for(before));
    while (said.find('\n', said.find(before)) == std::string::npos) REQUIRE(wait_for("\n"));
    leaders.push_back(std::atoi(said.c_str() + said.find(before) + before.size()));
    return leaders.back();
  }

  Surroundings around;
  platform::UniqueFd pidfd;
  platform::UniqueFd errors;
  std::string said;
  std::vector<pid_t> leaders;  // of worker processes that the test asked for
};

inline std::string script(const std::string& name, const std::string& shell,
                          const std::string& more = {}) {
  return "[script." + name + "]\ncommand = [\"sh\", \"-c\", '''" + shell + "''']\n" + more + "\n";
}

// This program again as a script: the hidden case with this tag.
inline std::string child(const std::string& name, const std::string& tag,
                         const std::string& more = {}) {
  return "[script." + name + "]\ncommand = [\"" + fs::read_symlink("/proc/self/exe").string() +
         "\", \"[" + tag + "]\"]\n" + more + "\n";
}

// Of a script's environment.
inline std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  REQUIRE(value != nullptr);
  return value;
}

}  // namespace sessionblocks::director::test
