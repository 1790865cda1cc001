// A directed session system for one test: a temporary folder, a suite, a director, and sessionctl
// run against them. The end of it leaves no process and no name in /dev/shm, however the test went.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "temporary_folder.hpp"

namespace sessionctl_test {

inline constexpr unsigned kWatchdogSeconds = 200;

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
  [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(out); }
};

class DirectedSystem {
 public:
  // Arms the watchdog. The suite is not started yet.
  explicit DirectedSystem(std::string_view suite_toml);
  ~DirectedSystem();
  DirectedSystem(const DirectedSystem&) = delete;
  DirectedSystem& operator=(const DirectedSystem&) = delete;

  // `verb` is serve or run. serve: returns once the director says that it directs.
  // `more`: further arguments of flowdirector.
  void start(const std::string& verb = "serve", const std::vector<std::string>& more = {});
  // Waits for the end of the director; its exit code, or 128 + signal.
  int wait();
  void kill_director();    // SIGKILL, and reaps it
  int stop_director();     // SIGTERM, and waits; its exit code
  void pause_director();   // SIGSTOP, and waits until it has stopped
  void resume_director();  // SIGCONT

  // sessionctl with --system and --runtime-dir, and `input` at its stdin.
  Outcome ctl(std::vector<std::string> arguments, std::string_view input = {}) const;
  // sessionctl as it is.
  static Outcome plain_ctl(std::vector<std::string> arguments);

  [[nodiscard]] std::filesystem::path folder() const { return folder_.path() / "suite"; }
  // Beside the suite: workers may read the suite's folder.
  [[nodiscard]] std::filesystem::path runtime() const { return folder_.path() / "run"; }
  [[nodiscard]] std::string suite_file() const { return (folder() / "suite.toml").native(); }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::vector<std::string> segments() const;  // names in /dev/shm
  void write_file(const std::string& name, std::string_view text, bool executable = false) const;
  [[nodiscard]] std::string read_file(const std::string& name) const;
  // Kills this system's workers by the pids that sessionctl lists, and waits until they are gone.
  void kill_workers() const;

 private:
  TemporaryFolder folder_;
  std::string name_;
  pid_t director_ = 0;
  int director_output_ = -1;
};

}  // namespace sessionctl_test
