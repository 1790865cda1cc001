#include <algorithm>
#include <system_error>
#include <unordered_map>

#include "director/suite_checker.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kReservedEnv = "SESSIONBLOCKS_";

// Text that reaches the system as a C string would end at its first zero byte.
bool has_zero_byte(std::string_view text) noexcept {
  return text.find('\0') != std::string_view::npos;
}

bool is_program(const fs::path& path) {
  constexpr auto kExecute = fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;
  std::error_code error;
  const auto status = fs::status(path, error);
  return fs::is_regular_file(status) && (status.permissions() & kExecute) != fs::perms::none;
}

fs::path real_path(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::weakly_canonical(path, error);
  return error ? path.lexically_normal() : real;
}

bool contains(const fs::path& outer, const fs::path& inner) {
  const auto [rest, unused] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return rest == outer.end();
}

std::string why_no_program(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) return "does not exist";
  if (!fs::is_regular_file(status)) return "is not a file";
  return "is not executable; try chmod +x";
}

void check_command(SuiteChecker& checker, const ScriptSpec& script) {
  if (script.where.refused("command")) return;
  if (script.command.empty() || script.command.front().empty()) {
    const std::string problem = script.where.has("command") ? "an empty command" : "no command";
    const std::string_view key = script.command.empty() ? "command" : "command.0";
    checker.note(script.where.at(key), "script " + quote(script.name) + " has " + problem +
                                           "; write command = [\"PROGRAM\", \"ARGUMENT\"]");
    return;
  }
  for (std::size_t i = 0; i < script.command.size(); ++i) {
    if (!has_zero_byte(script.command[i])) continue;
    checker.note(script.where.at("command." + std::to_string(i)), "command has a zero byte");
    return;
  }
  if (!find_program(script, checker.machine()).empty()) return;
  const std::string& program = script.command.front();
  const SourceLocation where = script.where.at("command.0");
  if (program.find('/') == std::string::npos) {
    checker.note(where, "program " + quote(program) +
                            " is in no folder of programs; for one beside the suite file write ./" +
                            program);
  } else if (!fs::path(program).is_absolute()) {
    checker.note(where, "program " + quote(program) + " must be an absolute path");
  } else {
    checker.note(where, "program " + quote(program) + " " + why_no_program(program));
  }
}

void check_folder(SuiteChecker& checker, const fs::path& folder, SourceLocation where,
                  std::string_view what) {
  const std::string subject = std::string(what) + " " + quote(folder.string());
  if (folder.empty() || has_zero_byte(folder.string())) {
    checker.note(where, subject + " is not a path");
    return;
  }
  if (!folder.is_absolute()) {
    checker.note(where, subject + " must be an absolute path");
    return;
  }
  for (const ProtectedFolder& secret : checker.machine().protected_folders) {
    if (!folders_overlap(folder, secret.path)) continue;
    checker.note(where, subject + " overlaps the " + secret.what + " " +
                            quote(secret.path.string()) +
                            ", which no worker may reach; keep them apart");
  }
}

void check_folders(SuiteChecker& checker, const ScriptSpec& script) {
  const auto check_all = [&](const std::vector<fs::path>& folders, const std::string& key,
                             std::string_view what) {
    for (std::size_t i = 0; i < folders.size(); ++i) {
      check_folder(checker, folders[i], script.where.at(key + "." + std::to_string(i)), what);
    }
  };
  check_all(script.read_paths, "paths.read", "readable path");
  check_all(script.write_paths, "paths.write", "writable path");
  if (script.cwd) check_folder(checker, *script.cwd, script.where.at("cwd"), "working folder");
}

void check_user(SuiteChecker& checker, const ScriptSpec& script) {
  if (!script.user) return;
  const auto& exists = checker.machine().user_exists;
  const auto& may_become = checker.machine().may_become;
  const bool usable = !script.user->empty() && !has_zero_byte(*script.user);
  if (!usable || (exists && !exists(*script.user))) {
    checker.note(script.where.at("user"),
                 "user " + quote(*script.user) + " is unknown on this machine");
  } else if (may_become && !may_become(*script.user)) {
    checker.note(script.where.at("user"),
                 "user " + quote(*script.user) + ": only root can start a script as another user");
  }
}

void check_env(SuiteChecker& checker, const ScriptSpec& script) {
  for (const auto& [name, value] : script.env) {
    const SourceLocation where = script.where.at("env." + name);
    const bool spelled = !name.empty() && name.find('=') == std::string::npos;
    if (!spelled || has_zero_byte(name) || has_zero_byte(value)) {
      checker.note(where, "variable " + quote(name) +
                              " cannot be set: no name, or '=' in it, or a zero byte");
    } else if (name.starts_with(kReservedEnv)) {
      checker.note(where, "variable " + quote(name) + " is the director's own; use another prefix");
    }
  }
}

void check_running(SuiteChecker& checker, const ScriptSpec& script) {
  const Places& where = script.where;
  if (script.workers < 1 || script.workers > kMaxWorkers) {
    checker.note(where.at("workers"), "workers must be 1 to " + std::to_string(kMaxWorkers));
  }
  if (script.timeout_ms) checker.check_positive(where, "timeout", *script.timeout_ms);
  checker.check_positive(where, "budget.within", script.budget.within_ms);
  if (script.budget.count == 0) {
    checker.note(where.at("budget.count"),
                 "budget.count must be more than 0; to start once, "
                 "write restart = \"never\"");
  }
  const bool budgeted = where.has("budget") || script.budget != RestartBudget{};
  if (script.restart == RestartPolicy::never && budgeted) {
    checker.note(where.at("budget"), "budget has no effect with restart = \"never\"");
  }
  if (script.start == StartWhen::on_request && script.parent.empty() && !where.refused("parent")) {
    checker.note(where.at("start"),
                 "start = \"on-request\" needs a parent script; only its "
                 "workers can ask");
  }
}

void check_patterns(SuiteChecker& checker, const ScriptSpec& script) {
  for (std::size_t i = 0; i < script.may_create.size(); ++i) {
    if (is_name_pattern(script.may_create[i])) continue;
    checker.note(script.where.at("may_create." + std::to_string(i)),
                 "may_create " + quote(script.may_create[i]) + " matches no name: " +
                     std::string(kNameRule) + "; '*' stands for any run of them");
  }
}

void check_parent_cycles(SuiteChecker& checker) {
  const auto& scripts = checker.suite().scripts;
  std::unordered_map<const ScriptSpec*, std::size_t> index;
  for (std::size_t i = 0; i < scripts.size(); ++i) index.emplace(&scripts[i], i);
  const auto cycles = find_cycles(scripts.size(), [&](std::size_t i) -> std::optional<std::size_t> {
    const ScriptSpec* parent =
        scripts[i].parent.empty() ? nullptr : checker.script(scripts[i].parent);
    return parent == nullptr ? std::nullopt : std::optional(index.at(parent));
  });
  for (const auto& cycle : cycles) {
    std::vector<std::string> names;
    for (const std::size_t i : cycle) names.push_back(scripts[i].name);
    checker.note(scripts[cycle.front()].where.at("parent"),
                 "scripts are each other's parents in a cycle: " + spell_cycle(names));
  }
}

// Workers may read and execute the folder of the suite.
void check_suite_folder(SuiteChecker& checker) {
  const Suite& suite = checker.suite();
  if (suite.scripts.empty() || suite.folder.empty()) return;
  for (const ProtectedFolder& secret : checker.machine().protected_folders) {
    if (!contains(real_path(suite.folder), real_path(secret.path))) continue;
    checker.note(suite.where.self,
                 "the suite's folder " + quote(suite.folder.string()) + " contains the " +
                     secret.what + " " + quote(secret.path.string()) +
                     ", and workers may read the suite's folder; keep it elsewhere");
  }
}

}  // namespace

bool folders_overlap(const fs::path& a, const fs::path& b) {
  const fs::path real_a = real_path(a);
  const fs::path real_b = real_path(b);
  return contains(real_a, real_b) || contains(real_b, real_a);
}

fs::path find_program(const ScriptSpec& script, const Machine& machine) {
  if (script.command.empty() || script.command.front().empty()) return {};
  const std::string& program = script.command.front();
  if (program.find('/') != std::string::npos) {
    const bool usable = fs::path(program).is_absolute() && is_program(program);
    return usable ? fs::path(program) : fs::path();
  }
  for (const fs::path& folder : machine.program_folders) {
    if (is_program(folder / program)) return folder / program;
  }
  return {};
}

void check_scripts(SuiteChecker& checker) {
  for (const ScriptSpec& script : checker.suite().scripts) {
    check_command(checker, script);
    check_running(checker, script);
    if (!script.parent.empty()) {
      checker.check_script_exists(script.parent, script.where.at("parent"), "parent names");
    }
    check_user(checker, script);
    check_folders(checker, script);
    check_env(checker, script);
    check_patterns(checker, script);
  }
  check_parent_cycles(checker);
  check_suite_folder(checker);
}

}  // namespace sessionblocks::director
