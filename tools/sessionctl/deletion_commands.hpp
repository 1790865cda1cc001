// Deleting what was kept. The director does it, so that its log knows; where none runs, and for a
// state folder that is not its own, this process does, holding the director's lock meanwhile.
#pragma once

#include "command.hpp"

namespace sessionblocks::ctl {

void add_snapshot_deletion(CLI::App& snapshot, Invocation& invocation);     // snapshot delete
void add_datablock_deletion(CLI::App& datablocks, Invocation& invocation);  // datablocks delete

}  // namespace sessionblocks::ctl
