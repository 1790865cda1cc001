// Which of two blocks more may read.
//
// A target has wider access than a source when somebody may read the target who may not read the
// source: a scope that is there now, by ownership, grants, heirs or inheritance and what was
// revoked of them; or a worker that redeemed a reference to the target. A reference that nobody
// redeemed yet gives no access: what its redeemer writes or reads is judged when it did.
//
// The suite's own scope does not count: who attaches there is an operator, who may read everything.
#pragma once

#include <optional>
#include <string>

#include "director/registry.hpp"

namespace sessionblocks::flowguard {

// The path of one who may read the target and not the source; none: nobody.
[[nodiscard]] std::optional<std::string> who_reads_only(director::Registry& registry,
                                                        const director::StoredBlock& source,
                                                        const director::StoredBlock& target);

}  // namespace sessionblocks::flowguard
