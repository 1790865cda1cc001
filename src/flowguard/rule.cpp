#include "flowguard/rule.hpp"

#include <algorithm>
#include <stdexcept>

namespace sessionblocks::flowguard {
namespace {

using director::GuardAction;

struct BuiltIn {
  std::string_view name;
  std::string_view when;
  std::uint64_t for_ms;
  GuardAction action;
  std::int32_t priority;
};

constexpr std::uint64_t kSecond = 1'000;
constexpr std::uint64_t kMinute = 60 * kSecond;

// Thresholds, with what normal use was taken to be:
//  - a store that fills up at its start stops growing, or reads what it keeps, before a quarter of
//    its quota has been stale for five minutes; one that is denied more memory and is not cleared
//    up within two minutes has nobody who looks after it;
//  - people are refused a few times a minute, programs that look for a way in dozens of times;
//  - a scope has some dozens of blocks and flow blocks at a time, made a few at a time;
//  - no operation takes a second, and no reader looks at one entry for a minute.
constexpr std::array kBuiltIns = {
    BuiltIn{"leak", "block.leaking > 5m && block.stale_share > 50% && block.fill > 25%", 0,
            GuardAction::deny, 20},
    BuiltIn{"leak-goes-on",
            "block.leaking > 10m && block.stale_share > 50% && block.denied_growth > 2m", 0,
            GuardAction::end_scope, 21},
    BuiltIn{"unread", "block.unread_entries > 10000 && block.stale_share > 90% && block.fill > 10%",
            10 * kMinute, GuardAction::log, 0},
    BuiltIn{"outlived", "block.unused > 60m && block.used_bytes > 1MiB", 0, GuardAction::log, 0},
    BuiltIn{"old-checkpoint", "block.oldest_checkpoint > 60m", 0, GuardAction::log, 0},
    BuiltIn{"unredeemed", "block.unredeemed > 100", kMinute, GuardAction::log, 0},
    BuiltIn{"reader-holds", "block.hazard > 60s", 0, GuardAction::log, 0},
    BuiltIn{"too-long", "block.excess_bytes > 0B", 0, GuardAction::quarantine, 40},
    BuiltIn{"changed-mode", "block.mode_changes > 0", 0, GuardAction::quarantine, 40},
    BuiltIn{"exposed", "block.exposures > 0", 0, GuardAction::quarantine, 50},
    BuiltIn{"refused-writes", "block.refused_per_min > 60", 5 * kSecond, GuardAction::log, 5},

    BuiltIn{"denied", "worker.refused_per_min > 60", 5 * kSecond, GuardAction::deny, 10},
    BuiltIn{"probing", "worker.probes_per_min > 20", 5 * kSecond, GuardAction::deny, 11},
    BuiltIn{"misused-references", "worker.misused_references_per_min > 10", 2 * kSecond,
            GuardAction::deny, 12},
    BuiltIn{"forged", "worker.forgeries > 0", 0, GuardAction::kill, 60},
    BuiltIn{"stuck-write", "worker.operation > 60s && worker.stopped = 0ms", 0, GuardAction::log,
            1},
    BuiltIn{"stuck-read", "worker.hazard > 60s && worker.stopped = 0ms", 0, GuardAction::log, 1},
    BuiltIn{"stopped", "worker.stopped > 60s", 0, GuardAction::log, 1},

    BuiltIn{"many-pieces", "scope.pieces > 256 && scope.pieces_per_s > 20", 0, GuardAction::deny,
            30},
    BuiltIn{"too-many-pieces", "scope.pieces > 1024 && scope.pieces_per_s > 5", 0,
            GuardAction::end_scope, 31},
    BuiltIn{"long-chain", "scope.chain > 5 && scope.pieces_per_s > 0.5", 0, GuardAction::deny, 30},
    BuiltIn{"deep", "scope.depth > 14", 0, GuardAction::deny, 29},
    BuiltIn{"many-starts", "scope.starts_per_min > 60", 2 * kSecond, GuardAction::deny, 30},
    BuiltIn{"many-workers", "scope.workers > 1200", 0, GuardAction::end_scope, 32},
    BuiltIn{"many-processes", "scope.processes > 512", 0, GuardAction::end_scope, 32},
    BuiltIn{"unlike-its-past", "scope.deviation > 8", 20 * kSecond, GuardAction::log, 0},
};

Rule rule_of(const BuiltIn& built_in) {
  auto when = Condition::parse(built_in.when);
  if (!when) throw std::logic_error("built-in rule " + std::string(built_in.name));
  Rule rule;
  rule.name = built_in.name;
  rule.text = built_in.when;
  rule.when = std::move(*when);
  rule.for_ms = built_in.for_ms;
  rule.action = built_in.action;
  rule.priority = built_in.priority;
  rule.is_built_in = true;
  return rule;
}

}  // namespace

std::vector<Rule> built_in_rules() {
  std::vector<Rule> rules;
  std::transform(kBuiltIns.begin(), kBuiltIns.end(), std::back_inserter(rules), rule_of);
  return rules;
}

Result<std::vector<Rule>> rules_of(const std::vector<director::GuardSpec>& specs) {
  std::vector<Rule> rules = built_in_rules();
  for (const director::GuardSpec& spec : specs) {
    auto when = Condition::parse(spec.when);
    if (!when) {
      return fail(Errc::invalid_argument, "guard " + spec.name + ": " + when.error().context());
    }
    std::erase_if(rules, [&spec](const Rule& rule) { return rule.name == spec.name; });
    Rule rule;
    rule.name = spec.name;
    rule.text = spec.when;
    rule.when = std::move(*when);
    rule.for_ms = spec.for_ms;
    rule.action = spec.action;
    rule.priority = spec.priority;
    rule.notify = spec.notify;
    rules.push_back(std::move(rule));
  }
  std::stable_sort(rules.begin(), rules.end(),
                   [](const Rule& a, const Rule& b) { return a.priority > b.priority; });
  return rules;
}

}  // namespace sessionblocks::flowguard
