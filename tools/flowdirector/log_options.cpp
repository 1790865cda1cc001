#include "log_options.hpp"

#include "core/units.hpp"
#include "flowlog/log_file.hpp"

namespace sessionblocks::tools {

namespace {

using Parse = Result<std::uint64_t> (*)(std::string_view text);

Result<void> take(const char* option, const std::string& typed, Parse parse,
                  std::optional<std::uint64_t>& value) {
  if (typed.empty()) return {};
  const auto parsed = parse(typed);
  const std::string what = std::string(option) + " " + typed + ": ";
  if (!parsed) return fail(parsed.error().code(), what + parsed.error().context());
  if (*parsed == 0) return fail(Errc::invalid_argument, what + "must not be 0");
  value = *parsed;
  return {};
}

}  // namespace

void add_log_options(CLI::App& command, LogArguments& arguments) {
  const flowlog::LogConfig defaults;
  const auto describe = [](const std::string& what, const std::string& value) {
    return what + "; " + value + " when left out";
  };
  command.add_option("--log-rotate", arguments.rotate,
                     describe("size at which the audit log's next file begins",
                              units::format_size(defaults.rotate_bytes)));
  command.add_option("--log-rotate-age", arguments.rotate_age,
                     describe("age at which it begins, if there is anything in the file",
                              units::format_duration_ms(defaults.rotate_ms)));
  command.add_option("--log-budget", arguments.budget,
                     describe("what all its files may take together; the oldest are removed",
                              units::format_size(defaults.budget_bytes)));
  command.add_option("--log-checkpoint", arguments.checkpoint,
                     describe("the longest that something new in it stays unsigned",
                              units::format_duration_ms(defaults.checkpoint_ms)));
  command
      .add_option("--log-on-full-disk", arguments.on_full_disk,
                  "wait: records stay in the workers' rings; count: they are let go and counted")
      ->check(CLI::IsMember({"wait", "count"}))
      ->capture_default_str();
}

Result<void> apply(const LogArguments& arguments, director::LogOptions& options) {
  Result<void> taken =
      take("--log-rotate", arguments.rotate, units::parse_size, options.rotate_bytes);
  if (taken) {
    taken =
        take("--log-rotate-age", arguments.rotate_age, units::parse_duration_ms, options.rotate_ms);
  }
  if (taken) {
    taken = take("--log-budget", arguments.budget, units::parse_size, options.budget_bytes);
  }
  if (taken) {
    taken = take("--log-checkpoint", arguments.checkpoint, units::parse_duration_ms,
                 options.checkpoint_ms);
  }
  if (!taken) return taken;
  options.counts_when_full = arguments.on_full_disk == "count";
  const flowlog::LogConfig defaults;
  const std::uint64_t file = options.rotate_bytes.value_or(defaults.rotate_bytes);
  const std::uint64_t budget = options.budget_bytes.value_or(defaults.budget_bytes);
  if (budget >= file) return {};
  return fail(Errc::invalid_argument, "--log-budget " + units::format_size(budget) +
                                          ": less than one file (--log-rotate " +
                                          units::format_size(file) + ")");
}

}  // namespace sessionblocks::tools
