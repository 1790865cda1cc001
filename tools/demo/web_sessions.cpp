// web-sessions: runs the demo and judges it.
//
// Puts the suite, the worker and the input into a folder of their own, starts a director over it,
// kills workers when asked to, and compares the report with what demo-reference counts.
// stdout: the report, and `result: exact` or `result: WRONG` (with --json one JSON object).
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "chaos.hpp"
#include "child_process.hpp"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::microseconds kLookEvery{200};
constexpr std::chrono::seconds kTellEvery{1};
constexpr std::chrono::seconds kStalledAfter{120};

struct Options {
  std::string input;
  std::uint32_t kills = 0;
  bool json = false;
  std::uint64_t seed = std::random_device{}();
};

volatile std::sig_atomic_t asked_to_end = 0;
void ask_to_end(int /*signal*/) {
  asked_to_end = 1;
}

fs::path program(const std::string& name) {
  return fs::read_symlink("/proc/self/exe").parent_path() / name;
}

// The folders that a run happens in; gone with it. Logs lie beside the suite's folder, which
// workers may read, and not in it.
class RunFolder {
 public:
  RunFolder() : RunFolder(make_root()) {
    fs::create_directories(path() / "out");
    fs::copy_file(program("web-sessions.toml"), path() / "web-sessions.toml");
    fs::copy_file(program("web-sessions-worker"), path() / "web-sessions-worker");
  }
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  ~RunFolder() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  [[nodiscard]] fs::path path() const { return fs::path(root_) / "suite"; }
  [[nodiscard]] fs::path logs() const { return fs::path(root_) / "logs"; }
  // The name of the run's own session system, so that demos can run beside each other.
  [[nodiscard]] std::string system() const { return fs::path(root_).filename(); }

 private:
  // Delegated to, so that the destructor runs when what follows throws.
  explicit RunFolder(std::string root) : root_(std::move(root)) {}
  static std::string make_root() {
    std::string root = fs::temp_directory_path() / "web-sessions-XXXXXX";
    if (mkdtemp(root.data()) == nullptr) throw std::runtime_error("cannot create " + root);
    return root;
  }

  std::string root_;
};

void require_success(int exit_code, const std::string& what) {
  if (exit_code != 0) throw std::runtime_error(what + " ended with " + std::to_string(exit_code));
}

void provide_input(const Options& options, const fs::path& path) {
  if (options.input.empty()) {
    std::cerr << "Making a sample of 500,000 lines\n";
    require_success(demo::ChildProcess({program("demo-generate"), "--output", path}).wait(),
                    "demo-generate");
    return;
  }
  fs::create_symlink(fs::canonical(options.input), path);
}

std::uint64_t count_newlines(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return static_cast<std::uint64_t>(std::count(std::istreambuf_iterator<char>(file), {}, '\n'));
}

json read_json(const fs::path& path) {
  std::ifstream file(path);
  return json::parse(file, nullptr, false);
}

// The director over a run's suite, and the next one when it is killed.
class Direction {
 public:
  explicit Direction(const RunFolder& folder) : folder_(folder) { start(); }

  // Workers outlive a killed director, so another one can take them over and go on.
  bool is_running() {
    if (director_->is_running()) return true;
    if (director_->wait() != kKilled) return false;
    std::cerr << "The director was killed: another takes its workers over\n";
    start();
    return true;
  }
  void ask_to_end() { director_->ask_to_end(); }
  int wait() {
    const int exit_code = director_->wait();
    if (exit_code < kBySignal) return exit_code;
    start();  // one that crashed left its system behind; the next can end it in order
    ask_to_end();
    director_->wait();
    return exit_code;
  }

 private:
  static constexpr int kBySignal = 128;
  static constexpr int kKilled = kBySignal + SIGKILL;

  void start() {
    director_.emplace(std::vector<std::string>{program("flowdirector"), "run",
                                               folder_.path() / "web-sessions.toml", "--system",
                                               folder_.system(), "--log-dir", folder_.logs()});
  }

  const RunFolder& folder_;
  std::optional<demo::ChildProcess> director_;
};

// Kills the workers that are due. Returns how many that were.
std::uint32_t kill_due(demo::ChaosBoard& board, std::uint32_t before, std::uint32_t wanted) {
  std::uint32_t kills = before;
  while (const auto kill = demo::kill_next(board)) {
    ++kills;
    std::cerr << "kill " << kills << " of " << wanted << ": pid " << kill->pid << " (count#"
              << kill->slot << ") after " << kill->commits << " commits, in "
              << demo::operation_name(kill->operation) << ", line " << kill->line << '\n';
  }
  return kills - before;
}

// Runs the suite until its director ends. Returns the number of kills that landed.
std::uint32_t run_suite(const Options& options, const RunFolder& folder, std::uint64_t lines) {
  const auto board = demo::create_chaos_board(folder.path() / "out" / "chaos.board");
  if (!board) throw std::runtime_error("cannot map a file in " + folder.path().string());
  demo::draw_tickets(*board, options.kills, lines, options.seed);
  if (options.kills > 0) std::cerr << "Chaos with --seed " << options.seed << '\n';

  std::uint32_t kills = 0;
  std::uint64_t commits = 0;
  auto told = Clock::now();
  auto moved = told;
  Direction director(folder);
  while (director.is_running()) {
    std::this_thread::sleep_for(kLookEvery);
    kills += kill_due(*board, kills, options.kills);
    const auto now = Clock::now();
    const std::uint64_t commits_now = demo::commits_so_far(*board);
    if (commits_now != commits) moved = now;
    commits = commits_now;
    if (now - told > kTellEvery) {
      told = now;
      std::cerr << commits << " commits for " << lines << " lines\n";
    }
    const bool stalled = now - moved > kStalledAfter;
    if (stalled) std::cerr << "No commit for " << kStalledAfter.count() << " s: giving up\n";
    if (asked_to_end == 0 && !stalled) continue;
    director.ask_to_end();
    break;
  }
  require_success(director.wait(), "flowdirector");
  if (asked_to_end != 0) throw std::runtime_error("interrupted");
  return kills;
}

// The report as it is printed: the suite's, and how it compares with the reference.
json judge(const Options& options, const RunFolder& folder, std::uint32_t kills) {
  const fs::path reference = folder.path() / "reference.json";
  require_success(
      demo::ChildProcess({program("demo-reference"), folder.path() / "input.log"}, reference)
          .wait(),
      "demo-reference");
  json report = read_json(folder.path() / "out" / "report.json");
  if (!report.is_object()) throw std::runtime_error("the suite wrote no report");
  const json expected = read_json(reference);
  bool exact = expected.is_object();
  for (const auto& [key, value] : expected.items()) {
    if (report.contains(key) && report[key] == value) continue;
    exact = false;
    std::cerr << key << " should be " << value << '\n';
  }
  if (kills < options.kills) {
    exact = false;
    std::cerr << "only " << kills << " of " << options.kills << " kills landed\n";
  }
  const double seconds = report.value("elapsed_ns", 0.0) / 1e9;
  const double lines = report.value("requests", 0.0) + report.value("malformed", 0.0);
  report.erase("elapsed_ns");
  report["lines_per_s"] = seconds > 0 ? static_cast<std::uint64_t>(lines / seconds) : 0;
  report["kills"] = kills;
  report["result"] = exact ? "exact" : "WRONG";
  return report;
}

void print_text(const json& report) {
  for (const char* const key : {"requests", "bytes", "visitors", "sessions", "malformed"}) {
    std::cout << key << ": " << report[key] << '\n';
  }
  for (const auto& [name, count] : report["status"].items()) {
    std::cout << "status " << name << ": " << count << '\n';
  }
  std::cout << "top pages:\n";
  for (const json& row : report["top_pages"]) {
    std::cout << "  " << row["requests"] << "  " << row.value("page", row.value("page_base64", ""))
              << '\n';
  }
  std::cout << "lines per second: " << report["lines_per_s"] << "\nkills: " << report["kills"]
            << "\nresult: " << report["result"].get<std::string>() << std::endl;
}

bool run(const Options& options) {
  const RunFolder folder;
  provide_input(options, folder.path() / "input.log");
  const std::uint64_t lines = count_newlines(folder.path() / "input.log");
  const std::uint32_t kills = run_suite(options, folder, lines);
  const json report = judge(options, folder, kills);
  if (options.json) {
    std::cout << report.dump() << std::endl;
  } else {
    print_text(report);
  }
  return report["result"] == "exact" && std::cout.good();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Counts a web access log with four worker processes, and checks the result.");
  Options options;
  app.add_option("--input", options.input, "access log in the combined format; default: a sample")
      ->check(CLI::ExistingFile);
  app.add_option("--chaos", options.kills, "workers to kill with SIGKILL")
      ->check(CLI::Range(0U, static_cast<unsigned>(demo::kMostTickets)));
  app.add_option("--seed", options.seed, "repeats the kills of another run");
  app.add_flag("--json", options.json, "print the report as one JSON object");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : 2;
  }
  std::signal(SIGINT, ask_to_end);
  std::signal(SIGTERM, ask_to_end);
  try {
    return run(options) ? 0 : 1;
  } catch (const std::exception& problem) {
    std::cerr << "web-sessions: " << problem.what() << '\n';
    std::cout << (options.json ? R"({"result":"WRONG"})" : "result: WRONG") << std::endl;
    return 1;
  }
}
