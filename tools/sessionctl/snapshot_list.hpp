// snapshot list: what is in the state folder, read without a director.
#pragma once

#include "command.hpp"

namespace sessionblocks::ctl {

void add_snapshot_list(CLI::App& snapshot, Invocation& invocation);

}  // namespace sessionblocks::ctl
