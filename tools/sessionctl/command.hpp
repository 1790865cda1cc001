// What the command groups share. Each add_*() declares its subcommands and what parsing one of
// them leaves to be run; main() runs it and turns an Error into an exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <sessionblocks/error.hpp>

#include "exit_code.hpp"
#include "system.hpp"

namespace sessionblocks::ctl {

struct Invocation {
  Options options;
  std::function<Result<ExitCode>()> run;
};

void add_list_commands(CLI::App& app, Invocation& invocation);   // ls, describe
void add_read_commands(CLI::App& app, Invocation& invocation);   // keys, get, dump
void add_write_commands(CLI::App& app, Invocation& invocation);  // put, incr, erase
void add_log_command(CLI::App& app, Invocation& invocation);     // log, log verify
void add_check_commands(CLI::App& app, Invocation& invocation);  // stats, fsck
void add_doctor_command(CLI::App& app, Invocation& invocation);  // doctor
void add_clean_command(CLI::App& app, Invocation& invocation);   // clean
void add_suite_command(CLI::App& app, Invocation& invocation);   // suite check

// KEY as it was typed, or its bytes when --base64 was given. invalid_argument; invalid_key.
[[nodiscard]] Result<std::string> key_of(const std::string& typed, bool is_base64);

}  // namespace sessionblocks::ctl
