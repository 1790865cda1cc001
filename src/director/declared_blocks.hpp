// The blocks that a suite file declares, as requests: which ones a scope owns when it begins.
#pragma once

#include <vector>

#include "director/block_store.hpp"
#include "director/suite.hpp"

namespace sessionblocks::director {

// What the suite's own scope owns.
[[nodiscard]] std::vector<BlockRequest> blocks_of_suite(const Suite& suite, ScopeId scope);
// What a script's scope owns, whatever its workers are.
[[nodiscard]] std::vector<BlockRequest> blocks_of_script(const Suite& suite,
                                                         const ScriptSpec& script, ScopeId scope);
// What each worker slot of a script has an own instance of.
[[nodiscard]] std::vector<BlockRequest> blocks_of_slot(const Suite& suite, const ScriptSpec& script,
                                                       ScopeId scope);
// What a flow block has an own instance of, by its name and the script of its worker. No script: an
// operator's or an embedding program's worker, which a suite declares nothing for.
[[nodiscard]] std::vector<BlockRequest> blocks_of_flow(const Suite& suite, const Scope* script,
                                                       const Scope& flow);

// The suite's choices as shared memory spells them, where zero means untouched.
[[nodiscard]] sessionblocks::AuditLevel stored(AuditLevel level) noexcept;
[[nodiscard]] sessionblocks::FullRing stored(OnFullRing policy) noexcept;
[[nodiscard]] sessionblocks::AtEnd stored(AtEnd at_end) noexcept;
[[nodiscard]] sessionblocks::Enforce stored(Enforce enforce) noexcept;
[[nodiscard]] sessionblocks::AtLimit stored(AtLimit policy) noexcept;

// The path of the suite's own scope or of a script's.
[[nodiscard]] std::string path_of(const Suite& suite, const ScopeRef& scope);

// The memory budgets that it gives itself and its scripts.
[[nodiscard]] Budgets budgets_of(const Suite& suite);

// For adoption: the grants and origin of a declared block; nothing for one that a script created.
[[nodiscard]] const BlockSpec* declared_block(const Suite& suite, std::string_view name);
[[nodiscard]] ScriptRights grants_of(const BlockSpec& block);
[[nodiscard]] JoinPolicies join_policies_of(const BlockSpec& block);

}  // namespace sessionblocks::director
