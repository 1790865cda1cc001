// Giving up every capability, for ever. Called between fork and exec: system calls only.
#pragma once

namespace sessionblocks::platform {

// Whether this process has CAP_SYS_ADMIN now (in its own user namespace).
[[nodiscard]] bool may_administer() noexcept;

// No later exec gives any back, not even as uid 0. Needs CAP_SETPCAP; without it the process has
// no way to gain any either (once no_new_privs is set), and the answer is true as well.
[[nodiscard]] bool drop_capability_bounds() noexcept;

// Empties the sets that count now.
[[nodiscard]] bool drop_capabilities() noexcept;

}  // namespace sessionblocks::platform
