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

// The suite's choices as shared memory spells them, where zero means untouched.
[[nodiscard]] sessionblocks::AuditLevel stored(AuditLevel level) noexcept;
[[nodiscard]] sessionblocks::FullRing stored(OnFullRing policy) noexcept;

// For adoption: the grants and origin of a declared block; nothing for one that a script created.
[[nodiscard]] const BlockSpec* declared_block(const Suite& suite, std::string_view name);
[[nodiscard]] ScriptRights grants_of(const BlockSpec& block);

}  // namespace sessionblocks::director
