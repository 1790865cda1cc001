// findings: what FlowGuard found and did. leaks: blocks that hold what nobody uses. rules: what it
// looks for by itself.
#include <algorithm>
#include <tuple>

#include "command.hpp"
#include "core/units.hpp"
#include "director/suite_words.hpp"
#include "flowguard/rule.hpp"
#include "flowlog/text.hpp"

namespace sessionblocks::ctl {
namespace {

std::string text(const Message& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number(const Message& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_number() ? found->get<std::uint64_t>() : 0;
}

// All rows of a listing that is continued behind the last row's `cursor`.
Result<std::vector<Message>> rows_of(const Options& options, const std::string& op,
                                     const char* cursor, std::uint64_t after) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  if (auto may = require_operator(*system, op); !may) return tl::unexpected(may.error());
  std::vector<Message> all;
  while (true) {
    const auto reply = system->ask({{"op", op}, {"after", after}});
    if (!reply) return tl::unexpected(reply.error());
    const auto rows = reply->find("rows");
    if (rows == reply->end() || !rows->is_array() || rows->empty()) return all;
    for (const Message& row : *rows) {
      if (number(row, cursor) <= after) return fail(Errc::malformed, op + ": rows out of order");
      after = number(row, cursor);
      all.push_back(row);
    }
  }
}

Result<ExitCode> show_findings(const Options& options, std::uint64_t after) {
  const auto found = rows_of(options, "findings", "number", after);
  if (!found) return tl::unexpected(found.error());
  Json rows = Json::array();
  Table table({"NUMBER", "TIME", "RULE", "WHAT", "WORKER", "FOR", "EVIDENCE", "DONE"});
  for (const Message& row : *found) {
    const std::string time = flowlog::utc_text(static_cast<std::int64_t>(number(row, "time")));
    rows.push_back({{"number", number(row, "number")},
                    {"time", time},
                    {"rule", text(row, "rule")},
                    {"what", text(row, "what")},
                    {"scope", text(row, "scope")},
                    {"worker", text(row, "worker")},
                    {"lasted_ms", number(row, "lasted")},
                    {"evidence", text(row, "evidence")},
                    {"action", text(row, "action")},
                    {"done", text(row, "done")}});
    table.add({std::to_string(number(row, "number")), time, text(row, "rule"), text(row, "what"),
               text(row, "worker"), duration_text(number(row, "lasted")), text(row, "evidence"),
               text(row, "done")});
  }
  options.format == Format::json ? print_json(rows) : print(table);
  return found->empty() ? ExitCode::ok : ExitCode::findings;
}

Json json_of(const Message& row) {
  return {{"scope", text(row, "scope")},
          {"worker", number(row, "worker")},
          {"block", number(row, "block")},
          {"name", text(row, "name")},
          {"kinds", text(row, "kinds")},
          {"age_ms", number(row, "age")},
          {"growing_ms", number(row, "growing")},
          {"stale_bytes", number(row, "stale")},
          {"live_bytes", number(row, "live")},
          {"used_bytes", number(row, "used")},
          {"unread_entries", number(row, "unread")},
          {"unredeemed", number(row, "unredeemed")}};
}

// By scope, then by worker, then the oldest first.
Result<ExitCode> show_leaks(const Options& options) {
  auto found = rows_of(options, "leaks", "block", 0);
  if (!found) return tl::unexpected(found.error());
  std::sort(found->begin(), found->end(), [](const Message& a, const Message& b) {
    return std::tuple(text(a, "scope"), number(a, "worker"), number(b, "age")) <
           std::tuple(text(b, "scope"), number(b, "worker"), number(a, "age"));
  });
  Json rows = Json::array();
  Table table({"SCOPE", "WORKER", "BLOCK", "AGE", "WHY", "GROWING FOR", "STALE", "LIVE", "USED"});
  for (const Message& row : *found) {
    rows.push_back(json_of(row));
    const std::uint64_t worker = number(row, "worker");
    const std::uint64_t growing = number(row, "growing");
    table.add({text(row, "scope"), worker == 0 ? "-" : std::to_string(worker),
               "#" + std::to_string(number(row, "block")) + " " + text(row, "name"),
               duration_text(number(row, "age")), text(row, "kinds"),
               growing == 0 ? "-" : duration_text(growing), size_text(number(row, "stale")),
               size_text(number(row, "live")), size_text(number(row, "used"))});
  }
  options.format == Format::json ? print_json(rows) : print(table);
  return found->empty() ? ExitCode::ok : ExitCode::findings;
}

Result<ExitCode> show_metrics(const Options& options) {
  Json rows = Json::array();
  Table table({"METRIC", "WHAT"});
  for (const flowguard::MetricInfo& metric : flowguard::metrics()) {
    rows.push_back({{"metric", metric.name}, {"what", metric.what}});
    table.add({std::string(metric.name), std::string(metric.what)});
  }
  options.format == Format::json ? print_json(rows) : print(table);
  return ExitCode::ok;
}

Result<ExitCode> show_rules(const Options& options) {
  Json rows = Json::array();
  Table table({"RULE", "WHEN", "FOR", "ACTION", "PRIORITY"});
  for (const flowguard::Rule& rule : flowguard::built_in_rules()) {
    const std::string action(director::word(rule.action));
    rows.push_back({{"rule", rule.name},
                    {"when", rule.text},
                    {"for_ms", rule.for_ms},
                    {"action", action},
                    {"priority", rule.priority}});
    table.add({rule.name, rule.text,
               rule.for_ms == 0 ? "-" : units::format_duration_ms(rule.for_ms), action,
               std::to_string(rule.priority)});
  }
  options.format == Format::json ? print_json(rows) : print(table);
  return ExitCode::ok;
}

}  // namespace

void add_guard_commands(CLI::App& app, Invocation& invocation) {
  auto* const findings = app.add_subcommand("findings", "what FlowGuard found, and what it did");
  auto after = std::make_shared<std::uint64_t>(0);
  findings->add_option("--after", *after, "only those with a higher number")->type_name("NUMBER");
  findings->callback([&invocation, after] {
    invocation.run = [&invocation, after] { return show_findings(invocation.options, *after); };
  });
  app.add_subcommand("leaks", "blocks that hold what nobody uses, by scope, worker and age")
      ->callback([&invocation] {
        invocation.run = [&invocation] { return show_leaks(invocation.options); };
      });
  auto* const rules = app.add_subcommand("rules", "FlowGuard's built-in rules");
  auto wants_metrics = std::make_shared<bool>(false);
  rules->add_flag("--metrics", *wants_metrics, "what rules may ask for");
  rules->callback([&invocation, wants_metrics] {
    invocation.run = [&invocation, wants_metrics] {
      return *wants_metrics ? show_metrics(invocation.options) : show_rules(invocation.options);
    };
  });
}

}  // namespace sessionblocks::ctl
