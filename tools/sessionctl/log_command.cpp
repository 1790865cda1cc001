// log: what FlowLog's files hold, oldest first; log verify: whether they are whole.
// Files only: no worker waits for it, and it works while the log is written and afterwards.
#include <charconv>
#include <ctime>

#include "command.hpp"
#include "core/units.hpp"
#include "flowlog/query.hpp"
#include "flowlog/verify.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::ctl {
namespace {

struct LogArguments {
  std::string folder;
  std::string block;
  std::string scope;
  std::optional<std::uint32_t> worker;
  std::optional<std::string> key;
  std::optional<std::string> prefix;
  std::vector<std::string> ops;
  std::string outcome;
  std::string since;
  std::string until;
};

std::optional<Op> op_of(std::string_view name) {
  for (unsigned number = 1; number <= static_cast<unsigned>(Op::drop); ++number) {
    if (word(static_cast<Op>(number)) == name) return static_cast<Op>(number);
  }
  return std::nullopt;
}

Result<void> add_op(flowlog::Query& query, const std::string& name) {
  if (name == "reads" || name == "writes") {
    query.ops |= name == "reads" ? flowlog::kReads : flowlog::kWrites;
    return {};
  }
  const auto op = op_of(name);
  if (!op) {
    return fail(Errc::invalid_argument,
                "--op " + readable(name) + ": reads, writes, or one such as get, put, erase");
  }
  query.definitions = query.definitions || *op == Op::define_key;
  query.add(*op);
  return {};
}

Result<std::uint16_t> outcome_of(const std::string& name) {
  if (name == "ok") return std::uint16_t{0};
  for (std::uint16_t number = 1; number < 256; ++number) {
    if (errc_name(static_cast<Errc>(number)) == name) return number;
  }
  return fail(Errc::invalid_argument,
              "--outcome " + readable(name) + ": ok, or an error such as not_found");
}

// "10m" is that long ago; else a UTC time such as 2026-11-22T09:05:28Z or a part of it.
Result<std::int64_t> time_of(const std::string& option, const std::string& text) {
  if (const auto ago = units::parse_duration_ms(text)) {
    return static_cast<std::int64_t>(platform::realtime_ns() / 1'000'000) -
           static_cast<std::int64_t>(*ago);
  }
  for (const char* format : {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"}) {
    std::tm parts{};
    const char* const end = ::strptime(text.c_str(), format, &parts);
    if (end != nullptr && *end == '\0') return std::int64_t{::timegm(&parts)} * 1'000;
  }
  return fail(Errc::invalid_argument, option + " " + readable(text) +
                                          ": a duration such as 10m, or a UTC time such as "
                                          "2026-11-22T09:05:28Z");
}

Result<flowlog::Query> query_of(const LogArguments& arguments) {
  flowlog::Query query;
  query.block = arguments.block;
  query.scope = arguments.scope;
  query.worker = arguments.worker;
  query.key = arguments.key;
  query.key_prefix = arguments.prefix;
  for (const std::string& op : arguments.ops) {
    if (auto added = add_op(query, op); !added) return tl::unexpected(added.error());
  }
  if (!arguments.outcome.empty()) {
    const auto outcome = outcome_of(arguments.outcome);
    if (!outcome) return tl::unexpected(outcome.error());
    query.outcome = *outcome;
  }
  if (!arguments.since.empty()) {
    const auto time = time_of("--since", arguments.since);
    if (!time) return tl::unexpected(time.error());
    query.from_unix_ms = *time;
  }
  if (!arguments.until.empty()) {
    const auto time = time_of("--until", arguments.until);
    if (!time) return tl::unexpected(time.error());
    query.to_unix_ms = *time;
  }
  return query;
}

Result<std::string> folder_of(const Options& options, const LogArguments& arguments) {
  if (!arguments.folder.empty()) return arguments.folder;
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  if (auto allowed = require_operator(*system, "log"); !allowed) {
    return tl::unexpected(allowed.error());
  }
  return system->paths().logs().native();
}

Result<ExitCode> show_log(const Options& options, LogArguments arguments) {
  arguments.scope = options.scope;
  const auto query = query_of(arguments);
  if (!query) return tl::unexpected(query.error());
  Options unscoped = options;
  unscoped.scope.clear();
  const auto folder = folder_of(unscoped, arguments);
  if (!folder) return tl::unexpected(folder.error());
  auto reader = flowlog::LogReader::open(*folder);
  if (!reader) return tl::unexpected(reader.error());
  const bool as_json = options.format == Format::json;
  if (!as_json) print(flowlog::table_head() + "\n");
  bool has_problem = false;
  flowlog::Entry entry;
  for (;;) {
    const auto more = flowlog::next_match(*reader, *query, entry);
    if (!more) return tl::unexpected(more.error());
    if (!*more) break;
    has_problem = has_problem || entry.kind == flowlog::EntryKind::problem;
    print((as_json ? flowlog::json_line(entry, reader->state())
                   : flowlog::table_row(entry, reader->state())) +
          "\n");
  }
  if (!has_problem) return ExitCode::ok;
  say("the log has damage; sessionctl log verify says where");
  return ExitCode::findings;
}

Result<ExitCode> verify_log(const Options& options, const LogArguments& arguments) {
  const auto folder = folder_of(options, arguments);
  if (!folder) return tl::unexpected(folder.error());
  const auto report = flowlog::verify(*folder);
  if (!report) return tl::unexpected(report.error());
  if (options.format == Format::json) {
    Json object = {{"whole", report->is_whole()},      {"records", report->records},
                   {"operations", report->operations}, {"notes", report->notes},
                   {"lanes", report->lanes},           {"missing_cells", report->missing_cells},
                   {"problems", report->problems},     {"torn_tail", report->has_torn_tail}};
    if (!report->is_whole()) {
      object["first_problem"] = report->first_problem;
      object["file"] = report->first_place.file;
      object["offset"] = report->first_place.offset;
    }
    print_json(object);
  } else {
    print(report->text() + "\n");
  }
  return report->is_whole() ? ExitCode::ok : ExitCode::findings;
}

}  // namespace

void add_log_command(CLI::App& app, Invocation& invocation) {
  auto* const log = app.add_subcommand("log", "the audit log, oldest first; --scope PATH too");
  auto arguments = std::make_shared<LogArguments>();
  log->add_option("--log-dir", arguments->folder, "its folder, when it is not the system's");
  log->add_option("--block", arguments->block, "of this block, a name or #ID");
  log->add_option("--worker", arguments->worker, "by this worker");
  log->add_option("--key", arguments->key, "on this key");
  log->add_option("--prefix", arguments->prefix, "on keys that begin so");
  log->add_option("--op", arguments->ops, "reads, writes, or operations such as put,erase")
      ->delimiter(',')
      ->allow_extra_args(false);
  log->add_option("--outcome", arguments->outcome, "ok, or an error such as not_found");
  log->add_option("--since", arguments->since, "a duration ago such as 10m, or a UTC time");
  log->add_option("--until", arguments->until, "the same; not included");
  auto* const verify = log->add_subcommand("verify", "prove that the log is whole");
  log->require_subcommand(0, 1);
  log->callback([&invocation, arguments, verify] {
    const bool verifies = verify->parsed();
    invocation.run = [&invocation, arguments, verifies] {
      return verifies ? verify_log(invocation.options, *arguments)
                      : show_log(invocation.options, *arguments);
    };
  });
}

}  // namespace sessionblocks::ctl
