#include "director/declared_blocks.hpp"

#include <algorithm>

#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

// The suite's choices have no "untouched" value, those in shared memory do.
sessionblocks::BlockKind stored(BlockKind kind) {
  switch (kind) {
    case BlockKind::shared:
      return sessionblocks::BlockKind::shared;
    case BlockKind::inherited:
      return sessionblocks::BlockKind::inherited;
    case BlockKind::forked:
      return sessionblocks::BlockKind::forked;
    case BlockKind::private_to_scope:
      break;
  }
  return sessionblocks::BlockKind::private_;
}

std::uint32_t stored(const Permits& permits) {
  const auto bit = [](bool is_given, Permit permit) {
    return is_given ? static_cast<std::uint32_t>(permit) : 0U;
  };
  return bit(permits.share, Permit::share) | bit(permits.fork, Permit::fork) |
         bit(permits.persist, Permit::persist) | bit(permits.elevate, Permit::elevate);
}

Ending ending_of(const Suite& suite, const BlockSpec& block) {
  Ending ending;
  ending.idle_ms = block.idle_ms.value_or(0);
  ending.at_end = stored(block.at_end);
  ending.join = join_policies_of(block);
  if (!block.heir) return ending;
  ending.heir_path = path_of(suite, *block.heir);
  ending.is_heir_by_path = true;
  return ending;
}

BlockRequest request_of(const Suite& suite, const BlockSpec& block, ScopeId owner) {
  BlockRequest request;
  request.policy.name = block.name;
  request.policy.kind = stored(block.kind);
  request.policy.owner = owner;
  request.policy.grants = grants_of(block);
  request.quota_bytes = block.quota_bytes;
  request.lifespan_ms = block.lifespan_ms.value_or(0);
  request.ending = ending_of(suite, block);
  request.audit = stored(block.audit);
  request.full_ring = stored(block.on_full_ring);
  request.enforce = stored(block.enforce);
  request.at_limit = stored(block.at_limit);
  request.logs_values = block.log_values;
  request.permits = stored(block.permit);
  request.sensitive = block.sensitive;
  request.is_loaded = block.at_start == AtStart::load;
  request.from = block.from;
  return request;
}

// Origins come before what is inherited from them, so that control can name them by id.
template <typename Belongs>
std::vector<BlockRequest> collect(const Suite& suite, ScopeId owner, Belongs belongs) {
  std::vector<BlockRequest> requests;
  for (const BlockSpec& block : suite.blocks) {
    if (belongs(block)) requests.push_back(request_of(suite, block, owner));
  }
  const auto depth = [&suite](const BlockRequest& request) {
    std::size_t steps = 0;
    const BlockSpec* at = declared_block(suite, request.from);
    while (at != nullptr && steps <= suite.blocks.size()) {
      at = declared_block(suite, at->from);
      ++steps;
    }
    return steps;
  };
  std::stable_sort(requests.begin(), requests.end(),
                   [&](const auto& a, const auto& b) { return depth(a) < depth(b); });
  return requests;
}

}  // namespace

sessionblocks::AuditLevel stored(AuditLevel level) noexcept {
  if (level == AuditLevel::writes) return sessionblocks::AuditLevel::writes;
  if (level == AuditLevel::counted) return sessionblocks::AuditLevel::counted;
  return sessionblocks::AuditLevel::full;
}

sessionblocks::FullRing stored(OnFullRing policy) noexcept {
  if (policy == OnFullRing::fail) return sessionblocks::FullRing::fail;
  if (policy == OnFullRing::count) return sessionblocks::FullRing::count;
  return sessionblocks::FullRing::wait;
}

sessionblocks::Enforce stored(Enforce enforce) noexcept {
  if (enforce == Enforce::swap) return sessionblocks::Enforce::swap;
  if (enforce == Enforce::kill) return sessionblocks::Enforce::kill;
  return sessionblocks::Enforce::cooperative;
}

sessionblocks::AtLimit stored(AtLimit policy) noexcept {
  if (policy == AtLimit::evict_expired) return sessionblocks::AtLimit::evict_expired;
  if (policy == AtLimit::evict_lru) return sessionblocks::AtLimit::evict_lru;
  return sessionblocks::AtLimit::refuse;
}

sessionblocks::AtEnd stored(AtEnd at_end) noexcept {
  switch (at_end) {
    case AtEnd::heir:
      return sessionblocks::AtEnd::heir;
    case AtEnd::snapshot:
      return sessionblocks::AtEnd::snapshot;
    case AtEnd::elevate:
      return sessionblocks::AtEnd::elevate;
    case AtEnd::join:
      return sessionblocks::AtEnd::join;
    case AtEnd::destroy:
      break;
  }
  return sessionblocks::AtEnd::destroy;
}

std::string path_of(const Suite& suite, const ScopeRef& scope) {
  std::string below;
  std::string name = scope.name;
  // A suite that was checked has no cycle; the bound is for one that was not.
  for (std::size_t step = 0; !name.empty() && step <= suite.scripts.size(); ++step) {
    below = "/" + name + below;
    const auto script = std::find_if(suite.scripts.begin(), suite.scripts.end(),
                                     [&](const ScriptSpec& spec) { return spec.name == name; });
    name = script == suite.scripts.end() ? std::string() : script->parent;
  }
  return suite.name + below;
}

Budgets budgets_of(const Suite& suite) {
  Budgets budgets;
  if (suite.memory_bytes) budgets.emplace(suite.name, *suite.memory_bytes);
  for (const ScriptSpec& script : suite.scripts) {
    if (!script.memory_bytes) continue;
    budgets.emplace(path_of(suite, {ScopeKind::script, script.name}), *script.memory_bytes);
  }
  return budgets;
}

std::vector<BlockRequest> blocks_of_suite(const Suite& suite, ScopeId scope) {
  return collect(suite, scope,
                 [](const BlockSpec& block) { return block.owner.kind == ScopeKind::suite; });
}

std::vector<BlockRequest> blocks_of_script(const Suite& suite, const ScriptSpec& script,
                                           ScopeId scope) {
  return collect(suite, scope, [&script](const BlockSpec& block) {
    return block.owner.kind == ScopeKind::script && block.owner.name == script.name;
  });
}

std::vector<BlockRequest> blocks_of_slot(const Suite& suite, const ScriptSpec& script,
                                         ScopeId scope) {
  return collect(suite, scope, [&script](const BlockSpec& block) {
    return block.owner.kind == ScopeKind::worker &&
           (block.grants.empty() || block.grants.contains(script.name));
  });
}

std::vector<BlockRequest> blocks_of_flow(const Suite& suite, const Scope* script,
                                         const Scope& flow) {
  return collect(suite, flow.id, [&](const BlockSpec& block) {
    return script != nullptr && block.owner.kind == ScopeKind::flow &&
           block.owner.name == flow.name &&
           (block.grants.empty() || block.grants.contains(script->name));
  });
}

JoinPolicies join_policies_of(const BlockSpec& block) {
  JoinPolicies policies;
  for (const auto& [pattern, policy] : block.join) {
    policies.emplace_back(pattern, value_of<sessionblocks::JoinPolicy>(policy).value_or(
                                       sessionblocks::JoinPolicy::refuse));
  }
  return policies;
}

const BlockSpec* declared_block(const Suite& suite, std::string_view name) {
  const auto found = std::find_if(suite.blocks.begin(), suite.blocks.end(),
                                  [name](const BlockSpec& block) { return block.name == name; });
  return found == suite.blocks.end() ? nullptr : &*found;
}

ScriptRights grants_of(const BlockSpec& block) {
  ScriptRights rights;
  for (const auto& [script, right] :
       block.kind == BlockKind::inherited ? block.heirs : block.grants) {
    rights.emplace(script, right == Rights::read_write ? sessionblocks::Rights::read_write
                                                       : sessionblocks::Rights::read);
  }
  return rights;
}

}  // namespace sessionblocks::director
