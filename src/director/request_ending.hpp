// How a block that somebody creates shall end: what is said of it, and whether that may be.
#pragma once

#include "director/block_store.hpp"
#include "director/fields.hpp"

namespace sessionblocks::director {

// Fields idle_ms, at_end, heir (a path). malformed; invalid_argument: no such at_end.
[[nodiscard]] Result<Ending> read_ending(const Fields& fields);

// Finds the heir; the owner has been chosen. invalid_argument: an heir without at_end = "heir", the
// other way round, the owner as its own heir, a missing permit; no_such_scope; not_permitted: under
// a suite a script's blocks stay its own.
[[nodiscard]] Result<void> choose_ending(const ScopeTree& scopes, bool has_suite,
                                         BlockRequest& request);

}  // namespace sessionblocks::director
