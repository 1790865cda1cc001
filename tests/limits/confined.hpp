// A part of a test in circumstances of its own: this program again, with one hidden case, after
// `prepare` has changed what the process gets of the machine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace sessionblocks::limits {

// What `prepare` answers where this machine does not permit it; the case is passed over then.
inline constexpr int kNotPermitted = 77;

// Runs the hidden case `tag`; `prepare` returns 0 when all went well. Its output is the test's.
void run_hidden(const std::string& tag, const std::function<int()>& prepare);

// For `prepare`: /dev/shm becomes a tmpfs of this size, seen by this process and its children only.
[[nodiscard]] int enter_small_shm(std::uint64_t bytes);

}  // namespace sessionblocks::limits
