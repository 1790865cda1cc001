// What the parts of check_suite share: the suite by name, and the list of problems.
//
// For suite_check*.cpp only. It keeps references: the suite and the machine must outlive it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "director/suite.hpp"
#include "director/suite_check.hpp"

namespace sessionblocks::director {

class SuiteChecker {
 public:
  SuiteChecker(const Suite& suite, const Machine& machine);

  [[nodiscard]] const Suite& suite() const noexcept { return suite_; }
  [[nodiscard]] const Machine& machine() const noexcept { return machine_; }
  [[nodiscard]] const BlockSpec* block(std::string_view name) const;
  [[nodiscard]] const ScriptSpec* script(std::string_view name) const;

  void note(SourceLocation where, std::string message);
  // Notes a script that does not exist, with the nearest one that does. `what` as in "a grant to".
  void check_script_exists(std::string_view name, SourceLocation where, std::string_view what);
  void check_positive(const Places& where, std::string_view key, std::uint64_t ms);

  // The script itself, then its parents up to the suite; a cycle of parents ends the walk.
  [[nodiscard]] std::vector<const ScriptSpec*> line_of(std::string_view script) const;

  [[nodiscard]] std::vector<Diagnostic> take() && { return std::move(problems_); }

 private:
  const Suite& suite_;
  const Machine& machine_;
  std::map<std::string_view, const BlockSpec*> blocks_;
  std::map<std::string_view, const ScriptSpec*> scripts_;
  std::vector<std::string_view> script_names_;
  std::vector<Diagnostic> problems_;
};

// Follows `next` from each of `count` items; each cycle once, from its first item on.
[[nodiscard]] std::vector<std::vector<std::size_t>> find_cycles(
    std::size_t count, const std::function<std::optional<std::size_t>(std::size_t)>& next);

// "a -> b -> a"
[[nodiscard]] std::string spell_cycle(const std::vector<std::string>& names);

void check_blocks(SuiteChecker& checker);
void check_inheritance(SuiteChecker& checker);
void check_scripts(SuiteChecker& checker);
void check_memory(SuiteChecker& checker);

}  // namespace sessionblocks::director
