#include "flowguard/actions.hpp"

#include <algorithm>
#include <array>

namespace sessionblocks::flowguard {
namespace {

using director::GuardAction;
using director::StoredBlock;
using director::Transition;

// What makes something or opens something. The rest gives something back, asks, or lets a worker go
// on with what it has.
constexpr std::array<std::string_view, 14> kMaking = {
    "open",    "create", "fork",  "join",   "checkpoint",  "snapshot",     "restore",
    "elevate", "load",   "share", "redeem", "enter_scope", "start_script", "compact"};

constexpr std::string_view kGuard = "FlowGuard, rule ";

template <typename Map, typename Id>
void forget(Map& denied, Id id, const std::string& rule) {
  const auto found = denied.find(id);
  if (found == denied.end()) return;
  found->second.erase(rule);
  if (found->second.empty()) denied.erase(found);
}

}  // namespace

bool fits(GuardAction action, Kind kind) noexcept {
  const bool is_for_blocks = action == GuardAction::seal || action == GuardAction::quarantine;
  return !is_for_blocks || kind == Kind::block;
}

std::string Actions::act(const Rule& rule, const Observed& observed, WorkerId by) {
  switch (rule.action) {
    case GuardAction::log:
      return "nothing but this was done";
    case GuardAction::deny:
      return deny(rule, observed);
    case GuardAction::seal:
      return change(Transition::seal, rule, observed);
    case GuardAction::quarantine:
      return change(Transition::quarantine, rule, observed);
    case GuardAction::kill:
      return kill(rule, observed, by);
    case GuardAction::end_scope:
      return end_scope(rule, observed);
  }
  return {};
}

std::string Actions::deny(const Rule& rule, const Observed& observed) {
  switch (observed.kind) {
    case Kind::block: {
      const auto id = static_cast<BlockId>(observed.id);
      StoredBlock* block = hands_.registry.blocks.find(id);
      if (block == nullptr) return "it had ended";
      block->is_denied_growth = true;
      blocks_[id].insert(rule.name);
      return "it gets no more memory";
    }
    case Kind::worker:
      workers_[static_cast<WorkerId>(observed.id)].insert(rule.name);
      return "it may open and make nothing";
    case Kind::scope:
      scopes_[static_cast<ScopeId>(observed.id)].insert(rule.name);
      return "nobody at or below it may open or make anything";
  }
  return {};
}

void Actions::lift(const Rule& rule, Kind kind, std::uint32_t id) {
  if (rule.action != GuardAction::deny) return;
  switch (kind) {
    case Kind::block: {
      const auto block_id = static_cast<BlockId>(id);
      forget(blocks_, block_id, rule.name);
      StoredBlock* block = hands_.registry.blocks.find(block_id);
      if (block != nullptr && !blocks_.contains(block_id)) block->is_denied_growth = false;
      return;
    }
    case Kind::worker:
      return forget(workers_, static_cast<WorkerId>(id), rule.name);
    case Kind::scope:
      return forget(scopes_, static_cast<ScopeId>(id), rule.name);
  }
}

Result<void> Actions::admit(const director::Asking& asking) const {
  if (workers_.empty() && scopes_.empty()) return {};
  if (std::find(kMaking.begin(), kMaking.end(), asking.op) == kMaking.end()) return {};
  const auto refuse = [&](const std::set<std::string>& rules, const std::string& whom) {
    return fail(Errc::denied, std::string(asking.op) + ": " + std::string(kGuard) + *rules.begin() +
                                  " forbids it to " + whom +
                                  " for now; stop, and ask again in 10 s");
  };
  const auto worker = workers_.find(asking.worker);
  if (worker != workers_.end()) return refuse(worker->second, "this worker");
  for (const auto& [scope, rules] : scopes_) {
    if (hands_.registry.scopes.is_at_or_below(asking.scope, scope)) {
      return refuse(rules, hands_.registry.scopes.find(scope)->path);
    }
  }
  return {};
}

std::string Actions::change(Transition what, const Rule& rule, const Observed& observed) {
  if (observed.kind != Kind::block) return "nothing: only a block can be so";
  StoredBlock* block = hands_.registry.blocks.find(static_cast<BlockId>(observed.id));
  if (block == nullptr) return "it had ended";
  const auto changed = hands_.registry.states.change(*block, what, std::string(kGuard) + rule.name);
  if (!changed) return changed.error().message();
  return what == Transition::seal ? "it was sealed" : "it was quarantined";
}

std::string Actions::kill(const Rule& rule, const Observed& observed, WorkerId by) {
  std::vector<platform::ProcessIdentity> processes;
  const auto scope = static_cast<ScopeId>(observed.id);
  for (const auto& [id, worker] : hands_.registry.workers.all()) {
    const bool is_meant = observed.kind == Kind::scope
                              ? hands_.registry.scopes.is_at_or_below(worker.scope, scope)
                              : id == by;
    if (is_meant && !worker.is_director) processes.push_back(worker.process);
  }
  if (processes.empty()) return "nothing: nobody is known who did it";
  const auto killed = hands_.registry.states.kill(
      processes, observed.text + ", and " + std::string(kGuard) + rule.name + " forbids that");
  if (!killed) return killed.error().message();
  return processes.size() == 1 ? "it was killed"
                               : std::to_string(processes.size()) + " workers were killed";
}

ScopeId Actions::script_of(Kind kind, std::uint32_t id) const {
  const director::Registry& registry = hands_.registry;
  ScopeId scope{};
  if (kind == Kind::scope) scope = static_cast<ScopeId>(id);
  if (kind == Kind::block) {
    const StoredBlock* block = hands_.registry.blocks.find(static_cast<BlockId>(id));
    if (block != nullptr) scope = block->policy.owner;
  }
  if (kind == Kind::worker) {
    const director::Worker* worker = hands_.registry.workers.find(static_cast<WorkerId>(id));
    if (worker != nullptr) scope = worker->scope;
  }
  const director::Scope* script = registry.scopes.script_of(scope);
  return script == nullptr ? ScopeId{} : script->id;
}

std::string Actions::end_scope(const Rule& rule, const Observed& observed) {
  const std::string why = std::string(kGuard) + rule.name;
  director::Registry& registry = hands_.registry;
  const auto block_id = static_cast<BlockId>(observed.id);
  StoredBlock* block = observed.kind == Kind::block ? registry.blocks.find(block_id) : nullptr;
  if (observed.kind == Kind::block && block == nullptr) return "it had ended";
  if (block != nullptr) {
    const director::Scope* owner = registry.scopes.find(block->policy.owner);
    if (owner != nullptr && owner->kind == sessionblocks::ScopeKind::flow) {
      const std::string path = owner->path;
      registry.end_flow(owner->id, why);
      return "scope " + path + " was ended";
    }
  }
  const ScopeId script = script_of(observed.kind, observed.id);
  if (script == ScopeId{}) {
    if (block == nullptr) return "nothing: the suite itself ends by a stop";
    registry.destroy_block(block_id, why);
    return "it was destroyed: it belonged to the suite";
  }
  const std::string path = registry.scopes.find(script)->path;
  const auto ended = hands_.end_scope(script, why);
  return ended ? "scope " + path + " is ended" : ended.error().message();
}

}  // namespace sessionblocks::flowguard
