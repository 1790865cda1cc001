// A folder seen through a read-only mount that is attached nowhere.
//
// What is opened beneath it can be neither written nor given another mode, owner, time or
// attribute, by nobody who holds the descriptor. The view goes with its last descriptor and that of
// the last file opened through it; a crash leaves nothing.
#pragma once

#include "platform/unique_fd.hpp"

namespace sessionblocks::platform {

// For openat(); close-on-exec. None where it is not permitted: it needs the right to mount, or user
// namespaces, and Linux 5.12. May fork a child that ends before this returns.
[[nodiscard]] UniqueFd open_read_only_view(const char* folder) noexcept;

}  // namespace sessionblocks::platform
