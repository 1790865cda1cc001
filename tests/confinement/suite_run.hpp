// One run of `flowdirector run` over a suite, in folders of its own that other users can enter too.
// The end of it leaves no process, no folder and no name in /dev/shm, however the test went.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/unique_fd.hpp"
#include "platform/user.hpp"

namespace confinement {

namespace fs = std::filesystem;

inline constexpr unsigned kWatchdogSeconds = 200;

// Whom the director runs as, when the tests are run by root.
enum class DirectorIs : std::uint8_t { whoever_tests, ordinary_user };

class SuiteRun {
 public:
  // Arms the watchdog and makes the folders; `body` follows [suite] in the suite file.
  explicit SuiteRun(std::string_view body, DirectorIs who = DirectorIs::whoever_tests);
  ~SuiteRun();
  SuiteRun(const SuiteRun&) = delete;
  SuiteRun& operator=(const SuiteRun&) = delete;

  // Everything of the suite's folder is read by scripts, whoever they are.
  void write_file(const std::string& name, std::string_view text) const;
  void copy_program(const fs::path& program) const;
  // Replaces the suite file: `body` may name folders of this run.
  void write_suite(std::string_view body) const;

  // Starts the director.
  void start(const std::vector<std::string>& more = {});
  // Waits for its end; the exit code, or 128 + signal. out() and err() are whole then.
  int wait();
  int run(const std::vector<std::string>& more = {}) {
    start(more);
    return wait();
  }

  [[nodiscard]] std::string out() const;  // what director and scripts wrote
  [[nodiscard]] std::string err() const;
  [[nodiscard]] fs::path suite() const { return folder_ / "suite"; }
  [[nodiscard]] fs::path runtime() const { return folder_ / "run"; }
  [[nodiscard]] fs::path logs() const { return folder_ / "logs"; }
  [[nodiscard]] fs::path folder() const { return folder_; }
  [[nodiscard]] std::vector<std::string> segments() const;  // names in /dev/shm
  // What is left where nothing should be, a line each; empty after a clean end.
  [[nodiscard]] std::string leftovers() const;

 private:
  void give_to_director(const fs::path& path) const;

  std::string system_;
  fs::path folder_;
  std::optional<sessionblocks::platform::UserIds> user_;  // of the director, if not ours
  sessionblocks::platform::UniqueFd director_;
};

// Of a program that needs nothing of a director.
struct ProgramOutput {
  int code = -1;
  std::string out;
};
ProgramOutput output_of(const std::vector<std::string>& words);

std::vector<std::string> lines_of(std::string_view text);

}  // namespace confinement
