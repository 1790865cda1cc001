// Registry: flow blocks, the scopes that a worker enters and leaves while it runs.
#include <algorithm>

#include "core/crash_point.hpp"
#include "director/registry.hpp"

namespace sessionblocks::director {
namespace {

using sessionblocks::ScopeKind;

std::string worker_text(const FlowEntry& entered) {
  return "worker " + std::to_string(raw(entered.worker));
}

}  // namespace

Result<void> Registry::check_flow_limits(const Scope& parent, const FlowEntry& entered,
                                         std::string_view name) const {
  const std::string what = "enter scope " + parent.path + "/" + std::string(name) + ": ";
  std::size_t depth = 0;
  for (const Scope* at = &parent; at != nullptr && at->kind == ScopeKind::flow; ++depth) {
    at = scopes.find(at->parent);
  }
  if (depth >= kMaxFlowDepth) {
    return fail(Errc::too_many, what + "it would lie " + std::to_string(depth + 1) +
                                    " flow scopes deep, at most " + std::to_string(kMaxFlowDepth) +
                                    " may be; leave inner ones first");
  }
  if (scopes.flows_of(entered.worker).size() >= kMaxFlowsOfWorker) {
    return fail(Errc::too_many, what + "this worker is in " + std::to_string(kMaxFlowsOfWorker) +
                                    " flow scopes, the most there may be; leave one first");
  }
  if (parent.path.size() + 1 + name.size() > kMaxFlowPathBytes) {
    return fail(Errc::too_many, what + "the path is longer than " +
                                    std::to_string(kMaxFlowPathBytes) +
                                    " bytes; use shorter names");
  }
  return {};
}

Result<ScopeId> Registry::enter_flow(const FlowEntry& entered, ScopeId parent,
                                     std::string_view name, const BlocksOfFlow& blocks_of) {
  const Scope* above = scopes.find(parent);
  if (above == nullptr) return fail(Errc::gone, "enter scope " + std::string(name));
  const Scope* flow = scopes.find(entered);
  if (flow != nullptr && (flow->parent != parent || flow->name != name)) {
    return fail(Errc::invalid_argument, "enter scope " + std::string(name) + ": its number is " +
                                            "that of " + flow->path + " already");
  }
  const auto begun =
      begin(EventKind::started, Subject("flow scope " + std::string(name), entered.worker));
  if (flow == nullptr) {
    if (const Scope* other = scopes.find(above->path + "/" + std::string(name))) {
      return fail(Errc::exists, "enter scope " + other->path + ": it was entered and not left");
    }
    if (auto checked = check_flow_limits(*above, entered, name); !checked) {
      return tl::unexpected(checked.error());
    }
    const auto added = scopes.add_flow(parent, name, entered);
    if (!added) return added;
    flow = scopes.find(*added);
  }
  const ScopeId id = flow->id;
  if (auto made = create_missing(blocks_of(*flow)); !made) {
    end_flow(id, "its blocks could not be made");
    return tl::unexpected(made.error());
  }
  // CRASH(flow.entered): a whole flow scope of which its worker was not told; it asks again, or
  // leaves it, or ends.
  SESSIONBLOCKS_CRASH("flow.entered");
  say(EventKind::started, Subject("scope " + flow->path, entered.worker),
      worker_text(entered) + " entered it");
  acted(Act::enter_scope, id);
  return id;
}

void Registry::end_flow(ScopeId flow, std::string_view why) {
  const Scope* found = scopes.find(flow);
  if (found == nullptr || found->kind != ScopeKind::flow) return;
  scopes.mark_ending(flow);
  // CRASH(flow.ending): a marked flow scope, and all that is in and below it; adoption ends it.
  SESSIONBLOCKS_CRASH("flow.ending");
  for (const ScopeId scope : scopes.subtree(flow)) end_scope(scope, why);
  // CRASH(flow.ended): all done.
  SESSIONBLOCKS_CRASH("flow.ended");
}

void Registry::end_abandoned_flows() {
  std::vector<ScopeId> abandoned;
  for (const auto& [id, scope] : scopes.all()) {
    if (scope.kind != ScopeKind::flow) continue;
    const Worker* worker = workers.find(scope.entered.worker);
    const bool is_held = worker != nullptr && worker->state == WorkerState::attached;
    if (scope.is_ending || !is_held) abandoned.push_back(id);
  }
  // A child is younger than its parent, and ends with it or before.
  for (auto at = abandoned.rbegin(); at != abandoned.rend(); ++at) {
    end_flow(*at, "an earlier director began to, or its worker has ended");
  }
}

}  // namespace sessionblocks::director
