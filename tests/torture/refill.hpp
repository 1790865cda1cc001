// Whether a block that was tortured has kept its room: emptied, it takes as much as one that is
// new.
#pragma once

#include "keys.hpp"
#include "oracle.hpp"
#include "system.hpp"

namespace sessionblocks::torture {

// At the very end: this process becomes a worker, and nobody holds the log against what it does.
void check_refill(System& system, const KeySet& keys, Oracle& oracle);

}  // namespace sessionblocks::torture
