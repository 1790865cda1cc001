// How the command line says what the audit log's files are like.
#pragma once

#include <CLI/CLI.hpp>
#include <sessionblocks/error.hpp>
#include <string>

#include "director/logs.hpp"

namespace sessionblocks::tools {

// As typed; empty: left out.
struct LogArguments {
  std::string rotate;
  std::string rotate_age;
  std::string budget;
  std::string checkpoint;
  std::string on_full_disk = "wait";
};

void add_log_options(CLI::App& command, LogArguments& arguments);
// malformed, overflow, invalid_argument: the message names the option.
[[nodiscard]] Result<void> apply(const LogArguments& arguments, director::LogOptions& options);

}  // namespace sessionblocks::tools
