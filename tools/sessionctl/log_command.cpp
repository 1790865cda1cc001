// log: what FlowLog's files hold, oldest first; log verify: whether they are whole.
// Files only: no worker waits for it, and it works while the log is written and afterwards.
#include "command.hpp"
#include "core/units.hpp"
#include "flowlog/query.hpp"
#include "flowlog/text.hpp"
#include "flowlog/verify.hpp"
#include "log_follow.hpp"
#include "log_output.hpp"
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
  bool is_base64 = false;
  std::vector<std::string> ops;
  std::string outcome;
  std::string since;
  std::string until;
  std::optional<std::string> expression;
  bool follows = false;
  std::string duration;
  flowlog::VerifyOptions verify;
};

Result<void> add_ops(flowlog::Query& query, const std::string& name) {
  const auto ops = flowlog::ops_of(name);
  if (!ops) {
    return fail(Errc::invalid_argument,
                "--op " + readable(name) + ": reads, writes, or one such as get, put, erase");
  }
  query.ops |= *ops;
  return {};
}

Result<std::int64_t> time_of(const std::string& option, const std::string& text,
                             std::int64_t now_unix_ms) {
  if (const auto time = flowlog::time_of(text, now_unix_ms)) return *time;
  return fail(Errc::invalid_argument, option + " " + readable(text) +
                                          ": a duration such as 10m, or a UTC time such as "
                                          "2026-11-22T09:05:28Z");
}

Result<flowlog::Query> query_of(const LogArguments& arguments) {
  const auto now_unix_ms = static_cast<std::int64_t>(platform::realtime_ns() / 1'000'000);
  flowlog::Query query;
  query.block = arguments.block;
  query.scope = arguments.scope;
  query.worker = arguments.worker;
  for (const auto& [typed, wanted] :
       {std::pair(&arguments.key, &query.key), std::pair(&arguments.prefix, &query.key_prefix)}) {
    if (!*typed) continue;
    auto key = key_of(**typed, arguments.is_base64);
    if (!key) return tl::unexpected(key.error());
    *wanted = std::move(*key);
  }
  for (const std::string& op : arguments.ops) {
    if (auto added = add_ops(query, op); !added) return tl::unexpected(added.error());
  }
  if (!arguments.outcome.empty()) {
    query.outcome = flowlog::outcome_of(arguments.outcome);
    if (!query.outcome) {
      return fail(Errc::invalid_argument, "--outcome " + readable(arguments.outcome) +
                                              ": ok, or an error such as not_found");
    }
  }
  if (!arguments.since.empty()) {
    const auto time = time_of("--since", arguments.since, now_unix_ms);
    if (!time) return tl::unexpected(time.error());
    query.from_unix_ms = *time;
  }
  if (!arguments.until.empty()) {
    const auto time = time_of("--until", arguments.until, now_unix_ms);
    if (!time) return tl::unexpected(time.error());
    query.to_unix_ms = *time;
  }
  if (query.from_unix_ms && query.to_unix_ms && *query.from_unix_ms >= *query.to_unix_ms) {
    return fail(Errc::invalid_argument, "--since is not before --until");
  }
  if (arguments.expression) {
    auto expression = flowlog::Expression::parse(*arguments.expression, now_unix_ms);
    if (!expression) return tl::unexpected(expression.error());
    query.expression = std::move(*expression);
  }
  return query;
}

// What is wrong with an expression is shown under it, in lines of its own.
Result<ExitCode> refuse(const LogArguments& arguments, const Error& error) {
  if (!arguments.expression || !error.context().starts_with("column ")) {
    return tl::unexpected(error);
  }
  say("the expression, " + error.context());
  return ExitCode::usage;
}

Result<ExitCode> show_all(const std::string& folder, const flowlog::Query& query,
                          LogPrinter& printer) {
  auto reader = flowlog::LogReader::open(folder);
  if (!reader) return explain_log_error(folder, reader.error());
  if (auto ended = reader->end_here(); !ended) return explain_log_error(folder, ended.error());
  flowlog::Entry entry;
  for (;;) {
    const auto more = flowlog::next_match(*reader, query, entry);
    if (!more) return explain_log_error(folder, more.error());
    printer.begin();
    if (!*more) break;
    printer.add(entry, *reader);
  }
  printer.end();
  return ExitCode::ok;
}

Result<ExitCode> follow_all(const std::string& folder, const flowlog::Query& query,
                            const LogArguments& arguments, LogPrinter& printer) {
  FollowOptions options;
  options.folder = folder;
  options.from = arguments.since.empty() ? flowlog::LogFollower::From::now
                                         : flowlog::LogFollower::From::oldest;
  if (!arguments.duration.empty()) {
    const auto ms = units::parse_duration_ms(arguments.duration);
    if (!ms || *ms == 0) {
      return fail(Errc::invalid_argument,
                  "--duration " + readable(arguments.duration) + ": how long, such as 10s or 5m");
    }
    options.duration = std::chrono::milliseconds(*ms);
  }
  const auto ended = follow_log(options, query, printer);
  if (!ended) return explain_log_error(folder, ended.error());
  return ExitCode::ok;
}

Result<ExitCode> show_log(const Options& options, LogArguments arguments) {
  arguments.scope = options.scope;
  const auto query = query_of(arguments);
  if (!query) return refuse(arguments, query.error());
  Options unscoped = options;
  unscoped.scope.clear();
  const auto folder = log_folder(unscoped, arguments.folder, "log");
  if (!folder) return tl::unexpected(folder.error());
  LogPrinter printer(options.format);
  const auto code = arguments.follows ? follow_all(*folder, *query, arguments, printer)
                                      : show_all(*folder, *query, printer);
  if (!code || *code != ExitCode::ok || !printer.has_problem()) return code;
  say("the log has damage; sessionctl log verify counts it");
  return ExitCode::findings;
}

Json json_of(const flowlog::LaneReport& lane) {
  Json missing = Json::array();
  for (const flowlog::MissingCells& cells : lane.missing) {
    missing.push_back(
        {{"first", cells.first}, {"count", cells.cells}, {"stated", cells.is_stated}});
  }
  return {{"system", lane.system},
          {"worker", lane.lane.worker},
          {"lane", lane.lane.lane},
          {"scope", lane.scope},
          {"first", lane.first},
          {"next", lane.next},
          {"records", lane.records},
          {"signed_next", lane.signed_next},
          {"counted_not_kept", lane.stated_cells},
          {"missing", lane.unstated_cells},
          {"gaps", std::move(missing)}};
}

Json json_of(const flowlog::CheckpointReport& checkpoints) {
  Json object = {{"count", checkpoints.count},
                 {"records_behind", checkpoints.records_behind},
                 {"notes_behind", checkpoints.notes_behind}};
  if (checkpoints.count == 0) return object;
  object["last"] = checkpoints.last_number;
  object["time"] = flowlog::utc_text(checkpoints.last_unix_ms);
  object["file"] = checkpoints.last_place.file;
  object["offset"] = checkpoints.last_place.offset;
  return object;
}

Result<ExitCode> verify_log(const Options& options, const LogArguments& arguments) {
  if (arguments.expression || arguments.follows) {
    return fail(Errc::invalid_argument, "log verify: it looks at all of the log, and once");
  }
  const auto folder = log_folder(options, arguments.folder, "log");
  if (!folder) return tl::unexpected(folder.error());
  if (!arguments.verify.public_key_file.empty()) {
    const auto keys = flowlog::read_public_keys(arguments.verify.public_key_file);
    if (!keys) {
      return fail(Errc::invalid_argument, "--public-key: " + keys.error().context() +
                                              "; name a copy of the log.pub beside a log");
    }
  }
  const auto report = flowlog::verify(*folder, arguments.verify);
  if (!report) return explain_log_error(*folder, report.error());
  if (options.format == Format::json) {
    Json object = {{"whole", report->is_whole()},      {"records", report->records},
                   {"operations", report->operations}, {"notes", report->notes},
                   {"lanes", report->lanes},           {"missing_cells", report->missing_cells},
                   {"files", report->files},           {"first_file", report->first_file},
                   {"problems", report->problems},     {"torn_tail", report->has_torn_tail}};
    object["first_number"] = report->first_number;
    object["removed_files"] = report->removed_files;
    object["begins"] = flowlog::utc_text(report->begins_unix_ms);
    object["checkpoints"] = json_of(report->checkpoints);
    object["ranges"] = Json::array();
    for (const auto& lane : report->lane_reports) object["ranges"].push_back(json_of(lane));
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

Result<std::string> log_folder(const Options& options, const std::string& typed,
                               std::string_view command) {
  if (!typed.empty()) return typed;
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  if (auto allowed = require_operator(*system, command); !allowed) {
    return tl::unexpected(allowed.error());
  }
  return system->paths().logs().native();
}

// What Errc advises is meant for those who use blocks.
Result<ExitCode> explain_log_error(const std::string& folder, const Error& error) {
  if (error == Errc::not_found) {
    say("no audit log in " + folder +
        ": its director keeps none (--no-log) or keeps it elsewhere; name that folder with "
        "--log-dir");
    return ExitCode::not_found;
  }
  if (error == Errc::denied) {
    say("audit log in " + folder + ": " + error.context() +
        "; read it as the user whose director wrote it");
    return ExitCode::denied;
  }
  return tl::unexpected(error);
}

void add_log_command(CLI::App& app, Invocation& invocation) {
  auto* const log = app.add_subcommand(
      "log", "what workers did to blocks, oldest first (-o json: one object a line)");
  auto arguments = std::make_shared<LogArguments>();
  log->footer(
      "Every option narrows the list; --scope PATH too: by that scope and those below it.\n"
      "Times are UTC. BYTES is the size of the value, VERSION the version that the entry had or "
      "got.\n\n"
      "EXPRESSION is such as 'op=write && key~\"cart:*\" && size>4096'. It has ! && || ( ), and\n"
      "  block, scope, key, op, outcome, what  with = != and ~ (* any text, ? a character)\n"
      "  worker, size, version, time           with = != < <= > >=\n"
      "what is a word for what the director does: created, sealed, revoked, ended, denied.\n"
      "An op is read, write or a name, an outcome ok or an error; sizes may have KiB, MiB; a time "
      "is\nUTC or ago, as of --since. What an entry lacks holds for no condition and for no "
      "negation.\n\n"
      "--follow waits for a log that is not there yet. -o trace is a file for "
      "ui.perfetto.dev.\n\n" +
      app.get_footer());
  log->add_option("EXPRESSION", arguments->expression, "which entries to show")->option_text(" ");
  log->add_option("--log-dir", arguments->folder,
                  "where the log is, when not in the runtime folder")
      ->option_text("FOLDER");
  log->add_option("--block", arguments->block, "on this block, a name or #ID")
      ->option_text("BLOCK");
  log->add_option("--worker", arguments->worker, "by this worker")->option_text("ID");
  log->add_option("--key", arguments->key, "on this key")->option_text("KEY");
  log->add_option("--prefix", arguments->prefix, "on keys that begin so")->option_text("TEXT");
  log->add_flag("--base64", arguments->is_base64, "--key and --prefix are base64");
  log->add_option("--op", arguments->ops, "reads, writes, or operations such as put,erase")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("OP,...");
  log->add_option("--outcome", arguments->outcome, "ok, or an error such as not_found")
      ->option_text("WORD");
  log->add_option("--since", arguments->since,
                  "from then on: a duration ago such as 10m, or a UTC time")
      ->option_text("TIME");
  log->add_option("--until", arguments->until, "before then, likewise")->option_text("TIME");
  auto* const follow = log->add_flag("--follow", arguments->follows,
                                     "show what comes from now on (or from --since), until Ctrl-C");
  follow->excludes("--until");
  log->add_option("--duration", arguments->duration, "end --follow after this time, such as 10s")
      ->needs(follow)
      ->option_text("TIME");
  auto* const verify = log->add_subcommand("verify", "prove that the log is whole");
  verify
      ->add_option("--public-key", arguments->verify.public_key_file,
                   "a copy of log.pub, from where whoever can write the log cannot write")
      ->option_text("FILE");
  verify
      ->add_option("--since-checkpoint", arguments->verify.since_checkpoint,
                   "that checkpoint, or a later one, must be there")
      ->option_text("N");
  log->require_subcommand(0, 1);
  log->callback([&invocation, arguments, verify] {
    const bool verifies = verify->parsed();
    invocation.takes_trace = !verifies;
    invocation.run = [&invocation, arguments, verifies] {
      return verifies ? verify_log(invocation.options, *arguments)
                      : show_log(invocation.options, *arguments);
    };
  });
}

}  // namespace sessionblocks::ctl
