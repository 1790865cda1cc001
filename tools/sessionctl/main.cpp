// sessionctl: looks into session systems, operates them, and gives scripts in any language their
// blocks. system.hpp says as whom it acts; exit_code.hpp what it answers.
#include <sodium.h>

#include <iostream>

#include "command.hpp"

namespace {

using namespace sessionblocks;
using namespace sessionblocks::ctl;

void add_common_options(CLI::App& app, Options& options) {
  const std::map<std::string, Format> formats = {
      {"table", Format::table}, {"json", Format::json}, {"trace", Format::trace}};
  app.add_option("-o,--output", options.format, "table or json; log has trace too")
      ->transform(CLI::CheckedTransformer(formats))
      ->option_text("FORMAT");
  app.add_option("--system", options.system, "name of the session system")->option_text("NAME");
  app.add_option("--runtime-dir", options.runtime_directory,
                 "its folder with socket and key, when it is not the usual one")
      ->option_text("FOLDER");
  app.add_option("--state-dir", options.state_directory,
                 "its folder with snapshots, keys and DataBlocks, when no director has it")
      ->option_text("FOLDER");
  app.add_option("--scope", options.scope,
                 "operator: act as this scope, and choose its block among those of one name")
      ->option_text("PATH");
  app.add_option("--time-limit-ms", options.time_limit_ms, "how long the director may take")
      ->option_text("MS");
}

void add_commands(CLI::App& app, Invocation& invocation) {
  add_list_commands(app, invocation);
  add_read_commands(app, invocation);
  add_write_commands(app, invocation);
  add_create_command(app, invocation);
  add_state_commands(app, invocation);
  add_revoke_commands(app, invocation);
  add_checkpoint_commands(app, invocation);
  add_join_command(app, invocation);
  add_snapshot_commands(app, invocation);
  add_datablock_commands(app, invocation);
  add_start_command(app, invocation);
  add_share_commands(app, invocation);
  add_log_command(app, invocation);
  add_replay_command(app, invocation);
  add_check_commands(app, invocation);
  add_guard_commands(app, invocation);
  add_memory_command(app, invocation);
  add_doctor_command(app, invocation);
  add_clean_command(app, invocation);
  add_suite_command(app, invocation);
}

int finish(const Result<ExitCode>& outcome) {
  if (auto written = finish_output(); !written) {
    say(written.error().message());
    return static_cast<int>(ExitCode::error);
  }
  if (outcome) return static_cast<int>(*outcome);
  say(outcome.error().message());
  return static_cast<int>(exit_code_of(outcome.error().code()));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Looks into SessionBlocks, changes them, and says whether all is well");
  app.footer(
      "BLOCK is a name, or \"#ID\" as ls shows it.\n"
      "Exit codes: 0 ok, 1 error, 2 usage, 3 not found or not running, 4 director unreachable,\n"
      "            5 denied, 6 findings, 7 other layout version, 124 time limit passed");
  app.require_subcommand(1);
  app.fallthrough();
  Invocation invocation;
  add_common_options(app, invocation.options);
  add_commands(app, invocation);
  try {
    app.parse(argc, argv);
    if (::sodium_init() < 0) return finish(fail(Errc::unsupported, "libsodium does not start"));
    invocation.options.names_system = app.count("--system") + app.count("--runtime-dir") > 0;
    if (invocation.options.format == Format::trace && !invocation.takes_trace) {
      say("-o trace: only log has it; table and json are for all commands");
      return static_cast<int>(ExitCode::usage);
    }
    return finish(invocation.run());
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::usage);
  } catch (const std::bad_alloc&) {
    return finish(fail(Errc::out_of_memory, "no memory in this process"));
  } catch (const std::exception& error) {
    return finish(fail(Errc::io_error, std::string(error.what())));
  }
}
