// What a script's process leaves running: the processes of its group, which is named by its pid.
#pragma once

#include <sys/types.h>

#include "platform/process.hpp"

namespace sessionblocks::director {

// The leader lives or is not reaped: its number cannot be somebody else's.
void signal_group(pid_t leader, int number) noexcept;
// The leader has ended, and reaping it was others' business. As long as its group has members the
// kernel gives the number to nobody: another process that has it now says that the group is empty.
void kill_orphaned_group(const platform::ProcessIdentity& leader) noexcept;

}  // namespace sessionblocks::director
