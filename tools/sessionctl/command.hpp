// What the command groups share. Each add_*() declares its subcommands and what parsing one of
// them leaves to be run; main() runs it and turns an Error into an exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <sessionblocks/sessionblocks.hpp>

#include "exit_code.hpp"
#include "system.hpp"

namespace sessionblocks::ctl {

struct Invocation {
  Options options;
  std::function<Result<ExitCode>()> run;
  bool takes_trace = false;  // the command has -o trace
};

void add_list_commands(CLI::App& app, Invocation& invocation);   // ls, describe
void add_read_commands(CLI::App& app, Invocation& invocation);   // keys, get, dump
void add_write_commands(CLI::App& app, Invocation& invocation);  // put, incr, erase
void add_create_command(CLI::App& app, Invocation& invocation);  // create
// seal, unseal, quarantine, release, wipe, destroy
void add_state_commands(CLI::App& app, Invocation& invocation);
void add_revoke_commands(CLI::App& app, Invocation& invocation);  // revoke, grant
// --enforce WORD, and --hard for --enforce swap.
void add_enforce_options(CLI::App& command, const std::shared_ptr<std::string>& enforce);
// checkpoint, checkpoints, diff
void add_checkpoint_commands(CLI::App& app, Invocation& invocation);
void add_join_command(CLI::App& app, Invocation& invocation);
void add_snapshot_commands(CLI::App& app, Invocation& invocation);   // snapshot ...
void add_datablock_commands(CLI::App& app, Invocation& invocation);  // elevate, datablocks, load
void add_start_command(CLI::App& app, Invocation& invocation);       // start
void add_share_commands(CLI::App& app, Invocation& invocation);      // share, redeem
void add_log_command(CLI::App& app, Invocation& invocation);         // log, log verify
void add_replay_command(CLI::App& app, Invocation& invocation);      // replay
void add_check_commands(CLI::App& app, Invocation& invocation);      // stats, fsck
void add_guard_commands(CLI::App& app, Invocation& invocation);      // findings, leaks, rules
void add_memory_command(CLI::App& app, Invocation& invocation);      // memory
void add_doctor_command(CLI::App& app, Invocation& invocation);      // doctor
void add_clean_command(CLI::App& app, Invocation& invocation);       // clean
void add_suite_command(CLI::App& app, Invocation& invocation);       // suite check

// Where the log is, unless `typed` says so. denied: a worker asks.
[[nodiscard]] Result<std::string> log_folder(const Options& options, const std::string& typed,
                                             std::string_view command);
// What an error of reading the log there means for who typed the command.
[[nodiscard]] Result<ExitCode> explain_log_error(const std::string& folder, const Error& error);
// no_such_checkpoint.
[[nodiscard]] Result<Checkpoint> find_checkpoint(const Block& block, const std::string& name);
// KEY as it was typed, or its bytes when --base64 was given. invalid_argument; invalid_key.
[[nodiscard]] Result<std::string> key_of(const std::string& typed, bool is_base64);

}  // namespace sessionblocks::ctl
