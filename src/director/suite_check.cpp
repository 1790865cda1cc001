#include "director/suite_check.hpp"

#include <algorithm>
#include <bit>

#include "director/suite_checker.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {

SuiteChecker::SuiteChecker(const Suite& suite, const Machine& machine)
    : suite_(suite), machine_(machine) {
  // emplace keeps the first of two that share a name; the second is reported by check_name.
  for (const BlockSpec& block : suite.blocks) blocks_.emplace(block.name, &block);
  for (const ScriptSpec& script : suite.scripts) scripts_.emplace(script.name, &script);
  for (const auto& [name, script] : scripts_) script_names_.push_back(name);
}

const BlockSpec* SuiteChecker::block(std::string_view name) const {
  const auto found = blocks_.find(name);
  return found == blocks_.end() ? nullptr : found->second;
}

const ScriptSpec* SuiteChecker::script(std::string_view name) const {
  const auto found = scripts_.find(name);
  return found == scripts_.end() ? nullptr : found->second;
}

void SuiteChecker::note(SourceLocation where, std::string message) {
  problems_.push_back({suite_.file, where.line, where.column, std::move(message)});
}

void SuiteChecker::check_script_exists(std::string_view name, SourceLocation where,
                                       std::string_view what) {
  if (script(name) != nullptr) return;
  note(where, std::string(what) + " script " + quote(name) + ", which is not in the suite" +
                  suggestion(name, script_names_));
}

void SuiteChecker::check_positive(const Places& where, std::string_view key, std::uint64_t ms) {
  if (ms == 0) note(where.at(key), std::string(key) + " must be more than 0");
}

std::vector<const ScriptSpec*> SuiteChecker::line_of(std::string_view name) const {
  std::vector<const ScriptSpec*> line;
  const ScriptSpec* next = script(name);
  while (next != nullptr && line.size() < suite_.scripts.size()) {
    line.push_back(next);
    next = next->parent.empty() ? nullptr : script(next->parent);
  }
  return line;
}

std::vector<std::vector<std::size_t>> find_cycles(
    std::size_t count, const std::function<std::optional<std::size_t>(std::size_t)>& next) {
  std::vector<std::vector<std::size_t>> cycles;
  std::vector<std::size_t> walk_of(count, 0);  // the walk that came by; 0: none yet
  for (std::size_t start = 0; start < count; ++start) {
    std::vector<std::size_t> path;
    std::optional<std::size_t> at = start;
    while (at && walk_of[*at] == 0) {
      walk_of[*at] = start + 1;
      path.push_back(*at);
      at = next(*at);
    }
    // An earlier walk's items are no news: its cycle was found then.
    if (!at || walk_of[*at] != start + 1) continue;
    std::vector<std::size_t> cycle(std::find(path.begin(), path.end(), *at), path.end());
    std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
    cycles.push_back(std::move(cycle));
  }
  return cycles;
}

std::string spell_cycle(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += name + " -> ";
  return out + names.front();
}

namespace {

// A name that is not one, or that an earlier table, `first`, has already.
template <typename Spec>
void check_name(SuiteChecker& checker, const Spec& spec, std::string_view what, const Spec* first) {
  const std::string subject = std::string(what) + " " + quote(spec.name);
  if (!is_name(spec.name)) checker.note(spec.where.self, subject + ": " + std::string(kNameRule));
  if (first != &spec) checker.note(spec.where.self, subject + " is there already");
}

void check_head(SuiteChecker& checker) {
  const Suite& suite = checker.suite();
  const bool built_by_a_program = suite.file.empty();
  if (suite.name.empty() && !suite.where.has("name")) {
    // Without a table [suite] the reader has said so.
    if (built_by_a_program || (suite.where.has("suite") && !suite.where.refused("suite"))) {
      checker.note(suite.where.self, "the suite has no name; write name = \"...\" in [suite]");
    }
  } else if (!is_name(suite.name) && !suite.where.refused("name")) {
    checker.note(suite.where.at("name"),
                 "suite " + quote(suite.name) + ": " + std::string(kNameRule));
  }
  const std::uint32_t records = suite.director.ring_records;
  if (!std::has_single_bit(records) || records < kMinRingRecords || records > kMaxRingRecords) {
    checker.note(suite.director.where.at("ring_records"),
                 "ring_records must be a power of two from " + std::to_string(kMinRingRecords) +
                     " to " + std::to_string(kMaxRingRecords) + ", not " + std::to_string(records));
  }
}

void check_notify(SuiteChecker& checker, const GuardSpec& guard) {
  constexpr std::string_view kSocket = "unix:";
  if (guard.notify.empty()) return;
  const std::string& first = guard.notify.front();
  const bool is_socket = first.starts_with(kSocket);
  const std::string_view path = std::string_view(first).substr(is_socket ? kSocket.size() : 0);
  if (!path.starts_with('/')) {
    checker.note(guard.where.at("notify"),
                 "notify begins with the absolute path of a program, or with unix:/ and the path "
                 "of a socket, not " +
                     quote(first));
  } else if (is_socket && guard.notify.size() > 1) {
    checker.note(guard.where.at("notify"), "a socket takes no arguments");
  }
}

void check_guards(SuiteChecker& checker) {
  std::map<std::string_view, const GuardSpec*> first;
  for (const GuardSpec& guard : checker.suite().guards) {
    first.emplace(guard.name, &guard);
    check_name(checker, guard, "guard", first[guard.name]);
    if (guard.when.empty() && !guard.where.has("when")) {
      checker.note(guard.where.self, "guard " + quote(guard.name) + " has no 'when'");
    } else if (!guard.where.refused("when") &&
               guard.when.find_first_not_of(" \t\n") == std::string::npos) {
      checker.note(guard.where.at("when"), "when is empty; write an expression");
    } else if (!guard.where.refused("when") && checker.machine().wrong_with_guard) {
      const std::string wrong = checker.machine().wrong_with_guard(guard);
      if (!wrong.empty()) checker.note(guard.where.at("when"), "when: " + wrong);
    }
    check_notify(checker, guard);
  }
}

void check_names(SuiteChecker& checker) {
  for (const BlockSpec& block : checker.suite().blocks) {
    check_name(checker, block, "block", checker.block(block.name));
  }
  for (const ScriptSpec& script : checker.suite().scripts) {
    check_name(checker, script, "script", checker.script(script.name));
    if (!script.name.empty() && script.name == checker.suite().name) {
      checker.note(script.where.self, "script " + quote(script.name) +
                                          " has the name of the suite; parent could mean either");
    }
  }
}

}  // namespace

std::vector<Diagnostic> check_suite(const Suite& suite, const Machine& machine) {
  SuiteChecker checker(suite, machine);
  check_head(checker);
  check_names(checker);
  check_blocks(checker);
  check_inheritance(checker);
  check_scripts(checker);
  check_memory(checker);
  check_guards(checker);
  auto problems = std::move(checker).take();
  sort_by_place(problems);
  return problems;
}

}  // namespace sessionblocks::director
