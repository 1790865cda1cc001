// A rule: what is looked for, for how long it must last, and what is done about it.
#pragma once

#include <string>
#include <vector>

#include "director/suite.hpp"
#include "flowguard/condition.hpp"

namespace sessionblocks::flowguard {

struct Rule {
  std::string name;
  std::string text;  // of the condition, as it was written
  Condition when;
  std::uint64_t for_ms = 0;
  director::GuardAction action = director::GuardAction::log;
  std::int32_t priority = 0;        // higher acts first
  std::vector<std::string> notify;  // of the suite file: notifier.hpp
  bool is_built_in = false;
};

// Those that are on in every system. A rule of the suite file with the name of one takes its place.
[[nodiscard]] std::vector<Rule> built_in_rules();

// The built-in rules and the suite's, by priority, then built-in ones first, then in their order.
// invalid_argument: a condition that cannot be read; check_suite said so before.
[[nodiscard]] Result<std::vector<Rule>> rules_of(const std::vector<director::GuardSpec>& specs);

}  // namespace sessionblocks::flowguard
