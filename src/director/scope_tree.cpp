#include "director/scope_tree.hpp"

#include <algorithm>
#include <cstring>

#include "core/crash_point.hpp"

namespace sessionblocks::director {
namespace {

using Kind = sessionblocks::ScopeKind;

std::string path_of(const Scope* parent, Kind kind, std::string_view name, std::uint16_t slot) {
  if (parent == nullptr) return std::string(name);
  if (kind == Kind::worker) return parent->path + "#" + std::to_string(slot);
  return parent->path + "/" + std::string(name);
}

}  // namespace

Result<ScopeId> ScopeTree::add_suite(std::string_view name) {
  Scope scope;
  scope.name = name;
  scope.path = name;
  return insert(std::move(scope));
}

Result<ScopeId> ScopeTree::add(Kind kind, ScopeId parent, std::string_view name,
                               std::uint16_t slot) {
  Scope scope;
  scope.kind = kind;
  scope.parent = parent;
  scope.slot = slot;
  scope.name = name;
  return add_below(std::move(scope));
}

Result<ScopeId> ScopeTree::add_flow(ScopeId parent, std::string_view name, FlowEntry entered) {
  Scope scope;
  scope.kind = Kind::flow;
  scope.parent = parent;
  scope.name = name;
  scope.entered = entered;
  return add_below(std::move(scope));
}

Result<ScopeId> ScopeTree::add_below(Scope scope) {
  const Scope* above = find(scope.parent);
  if (above == nullptr || above->is_ending) {
    return fail(Errc::no_such_scope, "add scope " + scope.name + ": its parent has ended");
  }
  scope.path = path_of(above, scope.kind, scope.name, scope.slot);
  return insert(std::move(scope));
}

Result<ScopeId> ScopeTree::insert(Scope scope) {
  if (by_path_.contains(scope.path)) return fail(Errc::exists, "scope " + scope.path);
  const auto id = control_->next_scope_id();
  if (!id) return id;
  scope.id = *id;
  scope.budget_bytes = budget_of(scope.path);
  const auto row = control_->publish(ScopeRowFields{.id = scope.id,
                                                    .parent = scope.parent,
                                                    .kind = scope.kind,
                                                    .slot = scope.slot,
                                                    .name = scope.name,
                                                    .worker = scope.entered.worker,
                                                    .entry = scope.entered.number,
                                                    .budget_bytes = scope.budget_bytes});
  if (!row) return tl::unexpected(row.error());
  // CRASH(scope.row): a scope without blocks and workers; the runner goes on with it, or the worker
  // that asked for it asks again.
  SESSIONBLOCKS_CRASH("scope.row");
  scope.row = *row;
  link(std::move(scope));
  return *id;
}

std::uint64_t ScopeTree::budget_of(std::string_view path) const noexcept {
  if (!budgets_) return 0;
  const auto found = budgets_->find(path);
  return found == budgets_->end() ? 0 : found->second;
}

void ScopeTree::link(Scope scope) {
  if (Scope* parent = find(scope.parent); parent != nullptr) {
    parent->children.push_back(scope.id);
  } else {
    root_ = scope.id;
  }
  by_path_.emplace(scope.path, scope.id);
  if (scope.kind == Kind::flow) by_entry_.emplace(scope.entered, scope.id);
  const ScopeId id = scope.id;
  scopes_.emplace(id, std::move(scope));
}

Result<void> ScopeTree::adopt(std::uint32_t row) {
  layout::ScopeRow& stored = control_->scope(row);
  Scope scope;
  scope.id = static_cast<ScopeId>(stored.id.load(std::memory_order_acquire));
  scope.kind = static_cast<Kind>(stored.kind);
  scope.parent = static_cast<ScopeId>(stored.parent);
  scope.slot = stored.slot;
  scope.entered = {static_cast<WorkerId>(stored.worker), stored.entry};
  scope.name.assign(stored.name, ::strnlen(stored.name, sizeof stored.name));
  scope.row = row;
  scope.is_ending = stored.ended != 0;
  const Scope* parent = find(scope.parent);
  const bool is_root = scope.kind == Kind::suite && scope.parent == ScopeId{} && !has_root();
  if (!is_root && parent == nullptr) return fail(Errc::corrupt, "scope row without its parent");
  scope.path = path_of(parent, scope.kind, scope.name, scope.slot);
  if (scopes_.contains(scope.id) || by_path_.contains(scope.path)) {
    return fail(Errc::corrupt, "two scope rows of one id or path: " + scope.path);
  }
  if (budgets_) stored.budget_bytes = budget_of(scope.path);
  scope.budget_bytes = stored.budget_bytes;
  link(std::move(scope));
  return {};
}

void ScopeTree::mark_ending(ScopeId scope) noexcept {
  Scope* found = find(scope);
  if (found == nullptr) return;
  found->is_ending = true;
  control_->scope(found->row).ended = 1;
}

void ScopeTree::remove(ScopeId scope) noexcept {
  const auto found = scopes_.find(scope);
  if (found == scopes_.end()) return;
  control_->withdraw_scope(found->second.row);
  if (Scope* parent = find(found->second.parent); parent != nullptr) {
    std::erase(parent->children, scope);
  }
  if (root_ == scope) root_ = ScopeId{};
  by_path_.erase(found->second.path);
  by_entry_.erase(found->second.entered);
  scopes_.erase(found);
}

Scope* ScopeTree::find(ScopeId scope) noexcept {
  const auto found = scopes_.find(scope);
  return found == scopes_.end() ? nullptr : &found->second;
}
const Scope* ScopeTree::find(ScopeId scope) const noexcept {
  const auto found = scopes_.find(scope);
  return found == scopes_.end() ? nullptr : &found->second;
}
const Scope* ScopeTree::find(std::string_view path) const noexcept {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : find(found->second);
}
const Scope* ScopeTree::find(const FlowEntry& entered) const noexcept {
  const auto found = by_entry_.find(entered);
  return found == by_entry_.end() ? nullptr : find(found->second);
}

std::vector<ScopeId> ScopeTree::flows_of(WorkerId worker) const {
  std::vector<ScopeId> flows;
  for (auto at = by_entry_.lower_bound({worker, 0});
       at != by_entry_.end() && at->first.worker == worker; ++at) {
    flows.push_back(at->second);
  }
  std::sort(flows.rbegin(), flows.rend());  // a child is younger than its parent
  return flows;
}

std::vector<ScopeId> ScopeTree::subtree(ScopeId scope) const {
  std::vector<ScopeId> order;
  if (find(scope) == nullptr) return order;
  order.push_back(scope);
  for (std::size_t at = 0; at < order.size(); ++at) {
    const Scope* above = find(order[at]);
    order.insert(order.end(), above->children.begin(), above->children.end());
  }
  std::reverse(order.begin(), order.end());
  return order;
}

const Scope* ScopeTree::script_of(ScopeId scope) const noexcept {
  const Scope* at = find(scope);
  while (at != nullptr && at->kind != Kind::script) at = find(at->parent);
  return at;
}

std::vector<std::string_view> ScopeTree::line_of(ScopeId scope) const {
  std::vector<std::string_view> line;
  for (const Scope* at = script_of(scope); at != nullptr; at = script_of(at->parent)) {
    line.push_back(at->name);
  }
  return line;
}

bool ScopeTree::belongs_to(ScopeId scope, ScopeId owner) const noexcept {
  for (const Scope* at = find(scope); at != nullptr; at = find(at->parent)) {
    if (at->id == owner) return true;
    if (at->kind == Kind::script) return false;
  }
  return false;
}

bool ScopeTree::is_at_or_below(ScopeId scope, ScopeId ancestor) const noexcept {
  for (const Scope* at = find(scope); at != nullptr; at = find(at->parent)) {
    if (at->id == ancestor) return true;
  }
  return false;
}

}  // namespace sessionblocks::director
