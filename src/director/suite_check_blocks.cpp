#include <algorithm>
#include <array>
#include <utility>

#include "core/units.hpp"
#include "director/suite_checker.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::size_t kMaxKeyBytes = 1'024;

void check_rights(SuiteChecker& checker, const BlockSpec& block, const RightsByScript& rights,
                  std::string_view key, std::string_view what) {
  for (const auto& [script, right] : rights) {
    checker.check_script_exists(script, block.where.at(std::string(key) + "." + script), what);
  }
}

void check_scope_ref(SuiteChecker& checker, const BlockSpec& block, const ScopeRef& scope,
                     std::string_view key) {
  const SourceLocation where = block.where.at(key);
  if (scope.kind == ScopeKind::script) {
    checker.check_script_exists(scope.name, where, std::string(key) + " names");
  } else if (scope.kind == ScopeKind::flow && !is_name(scope.name)) {
    checker.note(where, "flow " + quote(scope.name) + ": " + std::string(kNameRule));
  }
}

// How many instances of a block there are at most: one, or one a worker slot.
std::uint64_t instances_of(const SuiteChecker& checker, const BlockSpec& block) {
  if (block.owner.kind != ScopeKind::worker) return 1;
  std::uint64_t workers = 0;
  for (const ScriptSpec& script : checker.suite().scripts) {
    if (block.grants.empty() || block.grants.contains(script.name)) workers += script.workers;
  }
  return std::max<std::uint64_t>(workers, 1);
}

void check_quota(SuiteChecker& checker, const BlockSpec& block) {
  const Machine& machine = checker.machine();
  const SourceLocation where = block.where.at("quota");
  const std::string quota = "quota " + units::format_size(block.quota_bytes);
  if (block.quota_bytes < machine.min_quota_bytes) {
    checker.note(where, quota + " is too small; an empty block takes " +
                            units::format_size(machine.min_quota_bytes));
    return;
  }
  const std::uint64_t instances = instances_of(checker, block);
  if (block.quota_bytes <= machine.shm_bytes / instances) return;
  const std::string each =
      instances == 1 ? "" : " for each of " + std::to_string(instances) + " workers";
  checker.note(where, quota + each + " is more than this machine holds; /dev/shm has " +
                          units::format_size(machine.shm_bytes));
}

// At the end of a scope nobody is there to be asked: every key has a policy beforehand.
void check_join(SuiteChecker& checker, const BlockSpec& block) {
  if (block.at_end != AtEnd::join) {
    if (block.join.empty() || block.where.refused("at_end")) return;
    checker.note(block.where.at("join"), "join has no effect without at_end = \"join\"");
    return;
  }
  if (block.kind != BlockKind::forked && !block.where.refused("kind")) {
    checker.note(block.where.at("at_end"), "at_end = \"join\" is for kind \"forked\"");
  }
  if (!block.join.contains("*") && !block.where.refused("join")) {
    checker.note(block.where.at("at_end"),
                 "at_end = \"join\" needs a policy for every key that both sides may change, such "
                 "as join = { \"*\" = \"theirs\" }");
  }
  for (const auto& [pattern, policy] : block.join) {
    const SourceLocation where = block.where.at("join." + pattern);
    const auto known = value_of<sessionblocks::JoinPolicy>(policy);
    if (!known) {
      checker.note(where, "a policy is ours, theirs, add, max or newest, not " + quote(policy));
    } else if (*known == sessionblocks::JoinPolicy::refuse) {
      checker.note(where, "a policy that refuses would lose what the fork holds at its end");
    }
  }
}

void check_end(SuiteChecker& checker, const BlockSpec& block) {
  if (block.lifespan_ms) checker.check_positive(block.where, "lifespan", *block.lifespan_ms);
  if (block.idle_ms) checker.check_positive(block.where, "idle", *block.idle_ms);
  const SourceLocation at_end = block.where.at("at_end");
  const bool permits_read = !block.where.refused("permit");
  if (block.at_end == AtEnd::heir && !block.heir && !block.where.has("heir")) {
    checker.note(at_end, "at_end = \"heir\" needs an heir, such as heir = \"suite\"");
  }
  if (block.at_end == AtEnd::snapshot && !block.permit.persist && permits_read) {
    checker.note(at_end, "at_end = \"snapshot\" needs \"persist\" in permit");
  }
  if (block.at_end == AtEnd::elevate && !block.permit.elevate && permits_read) {
    checker.note(at_end, "at_end = \"elevate\" needs \"elevate\" in permit");
  }
  check_join(checker, block);
  if (!block.heir) return;
  const SourceLocation heir = block.where.at("heir");
  check_scope_ref(checker, block, *block.heir, "heir");
  if (block.at_end != AtEnd::heir && !block.where.refused("at_end")) {
    checker.note(heir, "heir has no effect without at_end = \"heir\"");
  }
  if (*block.heir == block.owner && !block.where.refused("owner")) {
    checker.note(heir, "the heir " + quote(format_scope_ref(*block.heir)) + " is the owner itself");
  } else if (block.heir->kind == ScopeKind::worker || block.heir->kind == ScopeKind::flow) {
    checker.note(heir, "an heir is \"suite\" or \"script.NAME\": one scope, not each of many");
  }
}

void check_start(SuiteChecker& checker, const BlockSpec& block) {
  if (block.at_start != AtStart::load) return;
  const SourceLocation at_start = block.where.at("at_start");
  if (!block.permit.elevate && !block.where.refused("permit")) {
    checker.note(at_start, "at_start = \"load\" needs \"elevate\" in permit");
  }
  if (block.kind == BlockKind::forked) {
    checker.note(at_start,
                 "a forked block begins as the block that it comes from; remove at_start");
  }
}

void check_log_values(SuiteChecker& checker, const BlockSpec& block) {
  if (!block.log_values) return;
  const SourceLocation where = block.where.at("log_values");
  if (!block.permit.persist && !block.where.refused("permit")) {
    checker.note(where, "log_values = true needs \"persist\" in permit: its values outlive it");
  }
  if (block.audit == AuditLevel::counted && !block.where.refused("audit")) {
    checker.note(where, "log_values = true needs audit = \"full\" or \"writes\"");
  }
  if (!block.sensitive.empty()) {
    checker.note(where, "log_values = true and sensitive keys: no log shows those; choose one");
  }
}

// An inherited block is its origin, reached by other scopes: it has no memory, end or log of its
// own.
void check_inherited_settings(SuiteChecker& checker, const BlockSpec& block) {
  const BlockSpec plain;
  const std::array<std::pair<std::string_view, bool>, 16> settings = {{
      {"owner", block.owner != plain.owner},
      {"quota", block.quota_bytes != plain.quota_bytes},
      {"lifespan", block.lifespan_ms.has_value()},
      {"idle", block.idle_ms.has_value()},
      {"audit", block.audit != plain.audit},
      {"on_full_ring", block.on_full_ring != plain.on_full_ring},
      {"enforce", block.enforce != plain.enforce},
      {"at_start", block.at_start != plain.at_start},
      {"at_end", block.at_end != plain.at_end},
      {"at_limit", block.at_limit != plain.at_limit},
      {"log_values", block.log_values},
      {"heir", block.heir.has_value()},
      {"join", !block.join.empty()},
      {"grants", !block.grants.empty()},
      {"permit", block.permit != plain.permit},
      {"sensitive", !block.sensitive.empty()},
  }};
  for (const auto& [key, changed] : settings) {
    if (!changed && !block.where.has(key)) continue;
    checker.note(block.where.at(key), std::string(key) + " belongs to the block that " +
                                          quote(block.name) + " is inherited from; remove it here");
  }
  if (block.heirs.empty() && !block.where.has("heirs")) {
    checker.note(block.where.self, "inherited block " + quote(block.name) +
                                       " has no heirs; write heirs = { SCRIPT = \"r\" }");
  }
}

void check_kind(SuiteChecker& checker, const BlockSpec& block) {
  // A default that stands in for what could not be read contradicts nothing.
  if (block.where.refused("kind")) return;
  const bool inherited = block.kind == BlockKind::inherited;
  const bool derived = inherited || block.kind == BlockKind::forked;
  const std::string kind(word(block.kind));
  const bool has_from = !block.from.empty() || block.where.has("from");
  if (derived && !has_from) {
    checker.note(block.where.self, kind + " block " + quote(block.name) +
                                       " has no 'from', the block that it comes from");
  }
  if (!derived && has_from) {
    checker.note(block.where.at("from"), "from has no meaning for kind \"" + kind + "\"");
  }
  if (!inherited && (!block.heirs.empty() || block.where.has("heirs"))) {
    checker.note(block.where.at("heirs"), "heirs belongs to kind \"inherited\"; use grants");
  }
  if (inherited) check_inherited_settings(checker, block);
  const bool one_scope = (block.owner.kind == ScopeKind::suite && !block.where.refused("owner")) ||
                         block.owner.kind == ScopeKind::script;
  if (block.kind == BlockKind::private_to_scope && one_scope && !block.grants.empty()) {
    checker.note(block.where.at("grants"),
                 "a private block is its owner's alone; remove grants or write kind = \"shared\"");
  }
}

void check_sensitive(SuiteChecker& checker, const BlockSpec& block) {
  for (std::size_t i = 0; i < block.sensitive.size(); ++i) {
    if (!block.sensitive[i].empty() && block.sensitive[i].size() <= kMaxKeyBytes) continue;
    checker.note(block.where.at("sensitive." + std::to_string(i)),
                 "a sensitive pattern is 1 to " + std::to_string(kMaxKeyBytes) + " bytes");
  }
}

}  // namespace

void check_blocks(SuiteChecker& checker) {
  for (const BlockSpec& block : checker.suite().blocks) {
    check_kind(checker, block);
    check_scope_ref(checker, block, block.owner, "owner");
    check_rights(checker, block, block.grants, "grants", "a grant to");
    check_rights(checker, block, block.heirs, "heirs", "an heir is");
    check_sensitive(checker, block);
    if (block.kind == BlockKind::inherited) continue;
    check_quota(checker, block);
    check_start(checker, block);
    check_end(checker, block);
    check_log_values(checker, block);
  }
}

}  // namespace sessionblocks::director
