// Who may open a block, and with which rights. Pure decisions over plain data.
//
// private     whoever belongs to the owner scope: read-write
// shared      the same, and the scripts that the grants name ("*": every script)
// inherited   the scripts that the heirs name, and never with more rights than the block that it
//             comes from passes down to them; it has no memory of its own
// forked      as shared
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/words.hpp"
#include "director/scope_tree.hpp"

namespace sessionblocks::director {

using ScriptRights = std::map<std::string, sessionblocks::Rights, std::less<>>;

struct BlockPolicy {
  std::string name;
  sessionblocks::BlockKind kind = sessionblocks::BlockKind::private_;
  ScopeId owner{};
  ScriptRights grants;  // inherited: the heirs
};

// What was taken away from the scope at `path` and all below it: this is the most that is left.
struct Revocation {
  std::string path;
  sessionblocks::Rights left = sessionblocks::Rights::none;
  std::uint32_t row = 0;
  std::uint32_t enforcing = 0;  // as layout::RevocationRow has it
};

// Whether a path is that of `ancestor` or of a scope below it.
[[nodiscard]] bool is_at_or_below(std::string_view path, std::string_view ancestor) noexcept;
// The most that `scope` may have of a block of which this was revoked; read_write: all.
[[nodiscard]] sessionblocks::Rights rights_left(const std::vector<Revocation>& revocations,
                                                ScopeId scope, const ScopeTree& scopes);

// The rights of `scope` on a block that has memory of its own.
[[nodiscard]] sessionblocks::Rights rights_on(const BlockPolicy& block, ScopeId scope,
                                              const ScopeTree& scopes);

// What a block gives at most to those who inherit it in `scope`: what the nearest script on the
// way up holds, and all of it to everybody below its owner when no grant says less.
[[nodiscard]] sessionblocks::Rights passed_down(const BlockPolicy& from, ScopeId scope,
                                                const ScopeTree& scopes);

// The rights of `scope` through an inherited block; `from` is the block that it names.
[[nodiscard]] sessionblocks::Rights inherited_rights(const BlockPolicy& block,
                                                     const BlockPolicy& from, ScopeId scope,
                                                     const ScopeTree& scopes);

}  // namespace sessionblocks::director
