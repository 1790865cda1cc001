// What must hold in a block at rest: nobody is inside an operation, every dead worker is recovered.
#pragma once

#include "director/registry.hpp"
#include "system.hpp"

namespace sessionblocks::torture {

// On the director's loop. Findings of fsck; nodes and pages that are counted twice or not at all;
// pages and hazards of workers that are no more. And all entries.
void look_at_block(director::Registry& registry, director::StoredBlock& block, Rest& rest);
// Only its entries.
void list_entries(director::StoredBlock& block, Rest& rest);

}  // namespace sessionblocks::torture
