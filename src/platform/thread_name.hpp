// What top, perf and /proc call this thread.
#pragma once

namespace sessionblocks::platform {

// At most 15 bytes of it are kept. A refusal costs the name only.
void name_this_thread(const char* name) noexcept;

}  // namespace sessionblocks::platform
