// Recursion that takes processes: scripts of a suite that a real flowdirector runs, confined, in
// real time, with a script that works as usual beside them.
#pragma once

#include "attack.hpp"
#include "trial.hpp"

namespace sessionblocks::guard_trial {

struct SuiteAttack {
  std::string name;
  std::string what;
  std::vector<std::string> rules;
};
[[nodiscard]] const std::vector<SuiteAttack>& suite_attacks();
[[nodiscard]] Played play_suite(const SuiteAttack& attack, std::uint64_t seed);

// What a script of that suite runs: `guard_trial --script ROLE BEGIN_MS PER_S MOST SYSTEM`.
int run_script(const std::string& role, std::uint64_t begin_unix_ms, double per_s,
               std::uint64_t most);

}  // namespace sessionblocks::guard_trial
