#include "flowguard/data_access.hpp"

#include <algorithm>

namespace sessionblocks::flowguard {
namespace {

using director::Registry;
using director::StoredBlock;
using director::Worker;

// By a grant through any name, or by what a reference opened.
bool may_read(Registry& registry, const StoredBlock& block, const Worker& worker) {
  if (registry.rights_through_any_name(block, worker) != Rights::none) return true;
  return std::any_of(worker.opens.begin(), worker.opens.end(), [&](const auto& open) {
    return open.second.block == block.id &&
           registry.rights_of_open(block, worker, open.first) != Rights::none;
  });
}

}  // namespace

std::optional<std::string> who_reads_only(Registry& registry, const StoredBlock& source,
                                          const StoredBlock& target) {
  if (source.id == target.id) return std::nullopt;
  for (const auto& [id, scope] : registry.scopes.all()) {
    if (scope.kind == ScopeKind::suite) continue;
    if (registry.rights_through_any_name(target, id) == Rights::none) continue;
    if (registry.rights_through_any_name(source, id) == Rights::none) return scope.path;
  }
  for (const auto& [id, worker] : registry.workers.all()) {
    if (worker.is_director || !may_read(registry, target, worker)) continue;
    if (may_read(registry, source, worker)) continue;
    const director::Scope* const scope = registry.scopes.find(worker.scope);
    return scope != nullptr ? scope->path : "worker " + std::to_string(raw(id));
  }
  return std::nullopt;
}

}  // namespace sessionblocks::flowguard
