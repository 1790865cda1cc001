#include "director/grants.hpp"

#include <algorithm>

namespace sessionblocks::director {
namespace {

using sessionblocks::BlockKind;
using sessionblocks::Rights;
using sessionblocks::ScopeKind;

constexpr std::string_view kEveryScript = "*";

Rights granted_to(const ScriptRights& grants, std::string_view script) {
  if (const auto found = grants.find(script); found != grants.end()) return found->second;
  const auto everyone = grants.find(kEveryScript);
  return everyone == grants.end() ? Rights::none : everyone->second;
}

}  // namespace

Rights rights_on(const BlockPolicy& block, ScopeId scope, const ScopeTree& scopes) {
  if (scopes.belongs_to(scope, block.owner)) return Rights::read_write;
  if (block.kind == BlockKind::private_ || block.kind == BlockKind::inherited) return Rights::none;
  const Scope* script = scopes.script_of(scope);
  return script == nullptr ? Rights::none : granted_to(block.grants, script->name);
}

bool is_at_or_below(std::string_view path, std::string_view ancestor) noexcept {
  if (!path.starts_with(ancestor)) return false;
  const std::string_view rest = path.substr(ancestor.size());
  return rest.empty() || rest.front() == '/' || rest.front() == '#';
}

Rights rights_left(const std::vector<Revocation>& revocations, ScopeId scope,
                   const ScopeTree& scopes) {
  Rights left = Rights::read_write;
  if (revocations.empty()) return left;
  const Scope* const found = scopes.find(scope);
  if (found == nullptr) return Rights::none;
  for (const Revocation& one : revocations) {
    if (is_at_or_below(found->path, one.path)) left = std::min(left, one.left);
  }
  return left;
}

Rights passed_down(const BlockPolicy& from, ScopeId scope, const ScopeTree& scopes) {
  // A private block that each worker slot has its own of keeps in its grants which scripts do.
  for (const std::string_view script : scopes.line_of(scope)) {
    if (const Rights rights = granted_to(from.grants, script); rights != Rights::none) {
      return rights;
    }
  }
  const bool below_owner = scopes.is_at_or_below(scope, from.owner);
  return below_owner && from.kind != BlockKind::inherited ? Rights::read_write : Rights::none;
}

Rights inherited_rights(const BlockPolicy& block, const BlockPolicy& from, ScopeId scope,
                        const ScopeTree& scopes) {
  const Scope* script = scopes.script_of(scope);
  if (script == nullptr) return Rights::none;
  return std::min(granted_to(block.grants, script->name), passed_down(from, scope, scopes));
}

}  // namespace sessionblocks::director
