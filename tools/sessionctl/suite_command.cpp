// suite check FILE: what flowdirector would say about a suite file, without starting anything.
#include <sys/statvfs.h>

#include <iostream>

#include "command.hpp"
#include "director/guard.hpp"
#include "director/suite_file.hpp"
#include "layout/block.hpp"
#include "platform/user.hpp"

namespace sessionblocks::ctl {
namespace {

director::Machine this_machine(const director::RuntimePaths& paths) {
  director::Machine machine;
  struct statvfs shm {};
  if (::statvfs("/dev/shm", &shm) == 0) {
    machine.shm_bytes = std::uint64_t{shm.f_blocks} * shm.f_frsize;
  }
  machine.min_quota_bytes = layout::kMinBlockBytes;
  machine.protected_folders = {{paths.directory, "runtime folder"}};
  machine.user_exists = [](const std::string& name) {
    return platform::find_user(name).has_value();
  };
  machine.wrong_with_guard = director::wrong_with_guard;
  return machine;
}

Json json_of(const std::vector<director::Diagnostic>& problems) {
  Json rows = Json::array();
  for (const director::Diagnostic& problem : problems) {
    rows.push_back({{"file", problem.file},
                    {"line", problem.line},
                    {"column", problem.column},
                    {"message", problem.message}});
  }
  return rows;
}

Result<ExitCode> check_suite_file(const Options& options, const std::string& file) {
  const auto paths = director::RuntimePaths::of(options.system, options.runtime_directory);
  if (!paths) return tl::unexpected(paths.error());
  const auto suite = director::open_suite(file, this_machine(*paths));
  const auto problems = suite ? std::vector<director::Diagnostic>() : suite.error();
  if (options.format == Format::json) {
    print_json(Json{{"file", file}, {"ok", problems.empty()}, {"problems", json_of(problems)}});
  } else if (suite) {
    print(readable(file) + ": ok, suite " + suite->name + ", " +
          std::to_string(suite->blocks.size()) + " blocks, " +
          std::to_string(suite->scripts.size()) + " scripts\n");
  }
  if (options.format == Format::table) {
    for (const auto& problem : problems) std::cerr << readable(problem.text()) << '\n';
  }
  return suite ? ExitCode::ok : ExitCode::usage;
}

}  // namespace

void add_suite_command(CLI::App& app, Invocation& invocation) {
  auto* const suite = app.add_subcommand("suite", "suite files");
  suite->require_subcommand(1);
  auto* const check = suite->add_subcommand("check", "all that is wrong with a suite file");
  auto file = std::make_shared<std::string>();
  check->add_option("FILE", *file)->required()->type_name("");
  check->callback([&invocation, file] {
    invocation.run = [&invocation, file] { return check_suite_file(invocation.options, *file); };
  });
}

}  // namespace sessionblocks::ctl
