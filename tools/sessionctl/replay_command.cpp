// replay BLOCK: what a block held after any operation, from the values in the log.
//
// Files only: the log's, and the key file, which a wipe of the block takes its key from.
#include <charconv>
#include <iostream>

#include "command.hpp"
#include "entry_text.hpp"
#include "flowlog/query_words.hpp"
#include "flowlog/replay.hpp"
#include "flowlog/text.hpp"
#include "platform/clock.hpp"
#include "snapshot_file.hpp"

namespace sessionblocks::ctl {
namespace {

using flowlog::Replay;
using flowlog::ReplayEntries;
using flowlog::ReplayEntry;

struct ReplayArguments {
  std::string block;
  std::string folder;
  std::string at;
  std::string after;
  std::vector<std::string> diff;
  bool lists = false;
  bool steps = false;
};

template <typename Number>
std::optional<Number> number_in(std::string_view text) {
  Number number{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "12", or "3.0:4711": that record of worker 3, lane 0.
Result<std::size_t> moment_after(const Replay& replay, const std::string& text) {
  if (const auto number = number_in<std::size_t>(text)) {
    if (*number <= replay.steps()) return *number;
    return fail(Errc::invalid_argument, "operation " + text + ": the log has " +
                                            std::to_string(replay.steps()) + " of this block");
  }
  const auto dot = text.find('.');
  const auto colon = text.find(':');
  if (dot != std::string::npos && colon != std::string::npos && dot < colon) {
    const std::string_view view = text;
    const auto worker = number_in<std::uint32_t>(view.substr(0, dot));
    const auto lane = number_in<std::uint16_t>(view.substr(dot + 1, colon - dot - 1));
    const auto sequence = number_in<std::uint64_t>(view.substr(colon + 1));
    if (worker && lane && sequence) {
      const auto moment = replay.moment_after({*worker, *lane}, *sequence);
      if (moment) return *moment;
      return fail(Errc::not_found, "a change of this block with number " + text +
                                       "; --list shows those that there are");
    }
  }
  return fail(Errc::invalid_argument,
              readable(text) +
                  ": the number of an operation, as --list shows it, or one such as "
                  "3.0:4711, of a record of worker 3, lane 0");
}

Result<std::size_t> moment_at(const Replay& replay, const std::string& text) {
  const auto now_unix_ms = static_cast<std::int64_t>(platform::realtime_ns() / 1'000'000);
  if (const auto time = flowlog::time_of(text, now_unix_ms)) return replay.moment_at(*time);
  return fail(Errc::invalid_argument, readable(text) +
                                          ": a duration ago such as 10m, or a UTC time such as "
                                          "2026-11-22T09:05:28Z");
}

Result<std::size_t> moment_of(const Replay& replay, const std::string& text) {
  auto after = moment_after(replay, text);
  if (after || !(after.error() == Errc::invalid_argument) || number_in<std::size_t>(text)) {
    return after;
  }
  auto at = moment_at(replay, text);
  if (at) return at;
  return fail(Errc::invalid_argument,
              readable(text) +
                  ": the number of an operation, a record such as 3.0:4711, a duration "
                  "ago such as 10m, or a UTC time");
}

std::string step_word(const Replay& replay, std::size_t number) {
  const flowlog::ReplayStep& step = replay.step(number);
  switch (step.kind) {
    case flowlog::StepKind::generation:
      return "generation " + std::to_string(raw(step.generation));
    case flowlog::StepKind::wiped:
      return "wiped";
    case flowlog::StepKind::destroyed:
      return "destroyed";
    case flowlog::StepKind::change:
      break;
  }
  return std::string(word(step.changes.front().op));
}

std::string record_text(const flowlog::Change& change) {
  return std::to_string(change.lane.worker) + "." + std::to_string(change.lane.lane) + ":" +
         std::to_string(change.sequence);
}

// As the commands that read blocks show entries, at the time of the moment.
StoredEntry stored(const ReplayEntry& entry, std::int64_t unix_ms) {
  StoredEntry made;
  made.type = static_cast<Type>(entry.type);
  made.value = entry.value;
  made.version = entry.version;
  if (entry.expiry_ms != 0) {
    const std::int64_t ends = static_cast<std::int64_t>(entry.expiry_ms) + entry.offset_ms;
    made.expires_in = std::chrono::milliseconds(ends - unix_ms);
  }
  return made;
}

constexpr const char* kUnknown = "(not in the log)";

std::string value_text(const ReplayEntry& entry) {
  return entry.is_known ? readable_value(stored(entry, 0)) : kUnknown;
}

Json json_of(const std::string& key, const ReplayEntry& entry, std::int64_t unix_ms) {
  if (entry.is_known) return json_of(key, stored(entry, unix_ms));
  Json object;
  put_bytes(object, "key", key);
  object["version"] = entry.version;
  object["known"] = false;
  return object;
}

std::string moment_text(const Replay& replay) {
  const std::string of = " of " + std::to_string(replay.steps());
  if (replay.moment() == 0) return "before operation 1" + of;
  return "behind operation " + std::to_string(replay.moment()) + of + ", " +
         step_word(replay, replay.moment()) + ", " + flowlog::utc_text(replay.unix_ms());
}

Json head_of(const Replay& replay) {
  Json object = {{"block", replay.name()},
                 {"id", raw(replay.block())},
                 {"operations", replay.steps()},
                 {"remarks", replay.remarks()}};
  return object;
}

void show_moment(const Replay& replay, std::int64_t unix_ms, Format format) {
  const ReplayEntries entries = replay.entries_at(unix_ms);
  if (format == Format::json) {
    Json object = head_of(replay);
    object["operation"] = replay.moment();
    object["generation"] = raw(replay.generation());
    object["time"] = flowlog::utc_text(unix_ms);
    object["entries"] = Json::array();
    for (const auto& [key, entry] : entries)
      object["entries"].push_back(json_of(key, entry, unix_ms));
    return print_json(object);
  }
  Table table({"KEY", "TYPE", "VERSION", "EXPIRES IN", "VALUE"});
  for (const auto& [key, entry] : entries) {
    const auto left = stored(entry, unix_ms).expires_in;
    table.add({readable(key),
               entry.is_known ? std::string(type_name(static_cast<Type>(entry.type))) : "",
               std::to_string(entry.version),
               left ? duration_text(static_cast<std::uint64_t>(left->count())) : "never",
               value_text(entry)});
  }
  print("block " + readable(replay.name()) + " (" + std::to_string(raw(replay.block())) +
        "), generation " + std::to_string(raw(replay.generation())) + ", " + moment_text(replay) +
        "\n");
  print(table);
}

void show_list(const Replay& replay, Format format) {
  Json rows = Json::array();
  Table table({"NUMBER", "TIME", "RECORD", "OPERATION", "VERSION", "KEY"});
  for (std::size_t number = 1; number <= replay.steps(); ++number) {
    const flowlog::ReplayStep& step = replay.step(number);
    const bool is_change = step.kind == flowlog::StepKind::change;
    const std::string time = flowlog::utc_text(step.unix_ms);
    Json row = {{"number", number}, {"time", time}, {"operation", step_word(replay, number)}};
    if (!is_change) {
      row["entries"] = step.changes.size();
      table.add({std::to_string(number), time, "", step_word(replay, number), "", ""});
    } else {
      const flowlog::Change& change = step.changes.front();
      row["record"] = record_text(change);
      row["version"] = change.version;
      put_bytes(row, "key", change.key);
      table.add({std::to_string(number), time, record_text(change), step_word(replay, number),
                 std::to_string(change.version), readable(change.key)});
    }
    rows.push_back(std::move(row));
  }
  if (format == Format::table) return print(table);
  Json object = head_of(replay);
  object["list"] = std::move(rows);
  print_json(object);
}

std::string side_text(const std::optional<ReplayEntry>& entry) {
  return entry ? value_text(*entry) : "-";
}

void add_differences(const std::vector<flowlog::KeyDifference>& found, Table& table) {
  for (const flowlog::KeyDifference& one : found) {
    const char* const what = !one.before ? "added" : one.after ? "changed" : "removed";
    table.add({readable(one.key), what, side_text(one.before), side_text(one.after)});
  }
}

void show_difference(Replay& replay, std::size_t before, std::size_t after, Format format) {
  const auto found = replay.difference(before, after);
  if (format == Format::table) {
    Table table({"KEY", "CHANGE", "BEFORE", "AFTER"});
    add_differences(found, table);
    print("block " + readable(replay.name()) + ", from operation " + std::to_string(before) +
          " to " + std::to_string(after) + " of " + std::to_string(replay.steps()) + "\n");
    return print(table);
  }
  Json object = head_of(replay);
  object["before"] = before;
  object["after"] = after;
  object["differences"] = Json::array();
  for (const flowlog::KeyDifference& one : found) {
    Json row;
    put_bytes(row, "key", one.key);
    if (one.before) row["before"] = json_of(one.key, *one.before, replay.unix_ms());
    if (one.after) row["after"] = json_of(one.key, *one.after, replay.unix_ms());
    object["differences"].push_back(std::move(row));
  }
  print_json(object);
}

// Each line says where to go; what is shown is what changed on the way.
Result<ExitCode> go_through(Replay& replay) {
  print("n: next, p: previous, a number: to behind that operation, s: show all, q: end\n");
  print(moment_text(replay) + "\n");
  std::string line;
  while (std::getline(std::cin, line)) {
    const std::size_t before = replay.moment();
    std::size_t wanted = before;
    if (line == "q") break;
    if (line == "s") {
      show_moment(replay, replay.unix_ms(), Format::table);
      continue;
    }
    if (line == "n" || line.empty()) {
      wanted = std::min(before + 1, replay.steps());
    } else if (line == "p") {
      wanted = before == 0 ? 0 : before - 1;
    } else if (const auto moment = moment_of(replay, line)) {
      wanted = *moment;
    } else {
      say(moment.error().context() + "; or n, p, s, q");
      continue;
    }
    const auto found = replay.difference(before, wanted);
    print(moment_text(replay) + "\n");
    if (found.empty()) continue;
    Table table({"KEY", "CHANGE", "BEFORE", "AFTER"});
    add_differences(found, table);
    print(table);
  }
  return ExitCode::ok;
}

Result<void> show(Replay& replay, const Options& options, const ReplayArguments& arguments) {
  if (!arguments.diff.empty()) {
    const auto before = moment_of(replay, arguments.diff[0]);
    if (!before) return tl::unexpected(before.error());
    const auto after = moment_of(replay, arguments.diff[1]);
    if (!after) return tl::unexpected(after.error());
    show_difference(replay, *before, *after, options.format);
    return {};
  }
  auto moment = Result<std::size_t>(replay.steps());
  if (!arguments.after.empty()) moment = moment_after(replay, arguments.after);
  if (!arguments.at.empty()) moment = moment_at(replay, arguments.at);
  if (!moment) return tl::unexpected(moment.error());
  replay.seek(*moment);
  // The last moment lasts: what has expired since is not there.
  const auto now_unix_ms = static_cast<std::int64_t>(platform::realtime_ns() / 1'000'000);
  const bool is_last = arguments.after.empty() && arguments.at.empty();
  show_moment(replay, is_last ? now_unix_ms : replay.unix_ms(), options.format);
  return {};
}

Result<ExitCode> replay(const Options& options, const ReplayArguments& arguments) {
  const auto folder = log_folder(options, arguments.folder, "replay");
  if (!folder) return tl::unexpected(folder.error());
  const auto state = state_folder(options);
  if (!state) return tl::unexpected(state.error());
  const snapshot::KeyFile keys(state->keys().native());
  if (const auto there = flowlog::LogReader::open(*folder); !there) {
    return explain_log_error(*folder, there.error());
  }
  auto loaded = Replay::load(*folder, arguments.block,
                             [&](const snapshot::KeyId& id) { return keys.find(id); });
  if (!loaded) return tl::unexpected(loaded.error());
  for (const std::string& remark : loaded->remarks()) say(readable(remark));
  if (arguments.lists) {
    show_list(*loaded, options.format);
  } else if (arguments.steps) {
    return go_through(*loaded);
  } else if (auto shown = show(*loaded, options, arguments); !shown) {
    return tl::unexpected(shown.error());
  }
  return loaded->is_damaged() ? ExitCode::findings : ExitCode::ok;
}

}  // namespace

void add_replay_command(CLI::App& app, Invocation& invocation) {
  auto* const command =
      app.add_subcommand("replay", "what a block held after any operation, from the log");
  auto arguments = std::make_shared<ReplayArguments>();
  command->footer(
      "For blocks made with log_values = true, or create --log-values; without an option the "
      "last\nmoment is shown. A MOMENT is behind an operation: its number as --list shows it, a "
      "record\nsuch as 3.0:4711 (worker 3, lane 0), a duration ago such as 10m, or a UTC time.\n"
      "Operations of different threads on different keys, within the same few milliseconds, "
      "stand\nin an order that is possible, and perhaps not the one they had.\n\n" +
      app.get_footer());
  command->add_option("BLOCK", arguments->block, "a name, or #ID")->required()->type_name("");
  auto* const at =
      command->add_option("--at", arguments->at, "as it was then")->option_text("TIME");
  auto* const after = command->add_option("--after", arguments->after, "behind this operation")
                          ->excludes(at)
                          ->option_text("OPERATION");
  auto* const diff = command->add_option("--diff", arguments->diff, "what differs between the two")
                         ->expected(2)
                         ->excludes(at)
                         ->excludes(after)
                         ->option_text("MOMENT MOMENT");
  auto* const list = command->add_flag("--list", arguments->lists, "all operations, with numbers")
                         ->excludes(at)
                         ->excludes(after)
                         ->excludes(diff);
  command->add_flag("--step", arguments->steps, "forward and back, by lines of the input")
      ->excludes(at)
      ->excludes(after)
      ->excludes(diff)
      ->excludes(list);
  command
      ->add_option("--log-dir", arguments->folder,
                   "where the log is, when not in the runtime folder")
      ->option_text("FOLDER");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return replay(invocation.options, *arguments); };
  });
}

}  // namespace sessionblocks::ctl
