// flowdirector run SUITE.toml     runs a suite in the foreground, until its scripts have ended
// flowdirector serve [SUITE.toml] goes on until SIGTERM
//
// Exit codes: 0 all went well, 1 a script or the director failed, 2 the suite file or the command
// line is wrong (nothing was started), 124 a script passed its time limit.
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include "core/units.hpp"
#include "director/director.hpp"
#include "director/guard.hpp"
#include "director/logs.hpp"
#include "director/suite_file.hpp"
#include "event_printer.hpp"
#include "layout/block.hpp"
#include "log_options.hpp"
#include "platform/core_dump.hpp"
#include "platform/user.hpp"

namespace {

using namespace sessionblocks;
namespace fs = std::filesystem;
using director::Director;
using director::SuiteOutcome;

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kTimedOut = 124;

struct Arguments {
  std::string suite_file;
  std::string system = "default";
  std::string runtime_directory;
  std::string log_directory;
  tools::LogArguments log;
  std::string state_directory;
  std::string memory;  // as it was typed; empty: what a director before had
  bool no_log = false;
  bool no_guard = false;
  bool quiet = false;
  bool verbose = false;
  bool no_sandbox = false;
  unsigned grace_ms = 5'000;
};

director::Machine this_machine(const director::RuntimePaths& paths, const fs::path& logs,
                               const fs::path& state) {
  director::Machine machine;
  struct statvfs shm {};
  if (::statvfs("/dev/shm", &shm) == 0) {
    machine.shm_bytes = std::uint64_t{shm.f_blocks} * shm.f_frsize;
  }
  machine.min_quota_bytes = layout::kMinBlockBytes;
  machine.protected_folders = {
      {paths.directory, "runtime folder"}, {logs, "log folder"}, {state, "state folder"}};
  machine.user_exists = [](const std::string& name) {
    return platform::find_user(name).has_value();
  };
  machine.may_become = [](const std::string& name) {
    const auto user = platform::find_user(name);
    return ::geteuid() == 0 || (user && user->uid == ::geteuid());
  };
  machine.wrong_with_guard = director::wrong_with_guard;
  return machine;
}

// Each block and worker takes descriptors here; what a started script gets is its own affair.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int exit_code(const Director::Outcome& outcome, bool runs_suite) {
  if (!runs_suite) return 0;
  if (outcome.suite == SuiteOutcome::timed_out) return kTimedOut;
  return outcome.suite == SuiteOutcome::failed || outcome.was_stopped ? kFailed : 0;
}

// 0: no bound.
Result<std::uint64_t> budget_of(const std::string& typed) {
  if (typed == "none") return 0;
  auto size = units::parse_size(typed);
  if (size && *size < layout::kMinBlockBytes) {
    return fail(Errc::invalid_argument,
                "too small; an empty block takes " + units::format_size(layout::kMinBlockBytes));
  }
  return size;
}

int direct(const Arguments& arguments, bool ends_with_suite) {
  const auto paths = director::RuntimePaths::of(arguments.system, arguments.runtime_directory);
  if (!paths) {
    std::cerr << "flowdirector: " << paths.error().message() << "\n";
    return kUsage;
  }
  const fs::path logs =
      arguments.log_directory.empty() ? paths->logs() : fs::path(arguments.log_directory);
  director::DirectorOptions options;
  if (!arguments.memory.empty()) {
    const auto budget = budget_of(arguments.memory);
    if (!budget) {
      std::cerr << "flowdirector: --memory " << arguments.memory << ": " << budget.error().context()
                << "; or none\n";
      return kUsage;
    }
    options.budget_bytes = *budget;
  }
  const fs::path state =
      arguments.state_directory.empty() ? paths->state() : fs::path(arguments.state_directory);
  director::LogOptions log;
  if (auto applied = tools::apply(arguments.log, log); !applied) {
    std::cerr << "flowdirector: " << applied.error().context() << "\n";
    return kUsage;
  }
  if (!arguments.suite_file.empty()) {
    auto suite = director::open_suite(arguments.suite_file, this_machine(*paths, logs, state));
    if (!suite) {
      for (const auto& problem : suite.error()) std::cerr << problem.text() << "\n";
      return kUsage;
    }
    options.suite = std::move(*suite);
  }
  using tools::Verbosity;
  const Verbosity spoken = arguments.verbose ? Verbosity::verbose : Verbosity::normal;
  options.events = tools::make_event_printer(arguments.quiet ? Verbosity::quiet : spoken);
  if (!arguments.no_log) {
    log.folder = logs;
    log.system = arguments.system;
    log.next = std::move(options.events);
    log.key_file = state / director::kLogKey;
    auto made = director::make_logs(std::move(log));
    options.make_audit = std::move(made.make_audit);
    options.events = std::move(made.events);
  }
  options.system = arguments.system;
  options.runtime_directory = arguments.runtime_directory;
  options.state_directory = arguments.state_directory;
  options.grace = std::chrono::milliseconds(arguments.grace_ms);
  options.ends_with_suite = ends_with_suite;
  options.makes_scopes = !options.suite.has_value();
  options.handles_signals = true;
  if (!arguments.no_guard) options.make_guard = director::make_guard;
  if (arguments.no_sandbox) options.confinement = director::Confinement::none;
  raise_descriptor_limit();
  static_cast<void>(platform::leave_memory_out_of_core_dumps());  // an old kernel dumps it
  const auto director = Director::start(std::move(options));
  if (!director) {
    std::cerr << "flowdirector: " << director.error().message() << "\n";
    return kFailed;
  }
  return exit_code((*director)->run(), ends_with_suite);
}

void add_options(CLI::App& command, Arguments& arguments) {
  command.add_option("--system", arguments.system, "name of the session system")
      ->capture_default_str();
  command.add_option("--runtime-dir", arguments.runtime_directory,
                     "folder for socket, lock and key, instead of the usual one");
  command.add_option("--grace-ms", arguments.grace_ms, "from SIGTERM to SIGKILL, in ms")
      ->capture_default_str();
  command.add_option(
      "--memory", arguments.memory,
      "budget for the quotas of all blocks, such as 4GiB, or none; left out, a director "
      "that takes over keeps that of the one before");
  command.add_option("--log-dir", arguments.log_directory,
                     "folder for the audit log and director.log, instead of logs/ there");
  command.add_option("--state-dir", arguments.state_directory,
                     "folder for snapshots, their keys and DataBlocks, instead of state/ there");
  command.add_flag("--no-log", arguments.no_log, "keep neither");
  tools::add_log_options(command, arguments.log);
  command.add_flag("--no-guard", arguments.no_guard, "do not look for leaks, misuse and damage");
  command.add_flag("-q,--quiet", arguments.quiet, "print failures only");
  command.add_flag("-v,--verbose", arguments.verbose, "print every attach and open");
  command.add_flag("--no-sandbox", arguments.no_sandbox, "start scripts without restrictions");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("FlowDirector: creates and ends SessionBlocks, and runs the scripts that use them");
  app.require_subcommand(1);
  Arguments arguments;
  CLI::App* const run = app.add_subcommand("run", "run a suite until its scripts have ended");
  run->add_option("SUITE", arguments.suite_file, "suite file (TOML)")->required();
  add_options(*run, arguments);
  CLI::App* const serve = app.add_subcommand("serve", "direct a system until SIGTERM");
  serve->add_option("SUITE", arguments.suite_file, "suite file (TOML), if there is one");
  add_options(*serve, arguments);
  try {
    app.parse(argc, argv);
    return direct(arguments, run->parsed());
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  } catch (const std::exception& error) {
    std::cerr << "flowdirector: " << error.what() << "\n";
    return kFailed;
  }
}
