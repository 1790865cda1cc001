// What is done to every path: each function takes one through all of its instructions.
#pragma once

#include "checks.hpp"

namespace sessionblocks::crash {

struct Tally {
  std::uint64_t instructions = 0;
  std::uint64_t cases = 0;  // images, stops or kills that were checked
  Violations violations;
};

// A copy of everything at each instruction that changed a shared byte, recovered and checked.
[[nodiscard]] Tally check_images(const Path& path);
// Recovery itself killed at each such instruction, from `images` places spread over the path.
[[nodiscard]] Tally check_recoveries(const Path& path, unsigned images);
// SIGKILL after every `stride`-th instruction, recovery in place.
[[nodiscard]] Tally check_kills(const Path& path, std::uint64_t stride);
// Stopped before and after each instruction that changed a shared byte while another worker
// overwrites its key, recycles its nodes, grows the index and has outgrown memory reused; then it
// runs on to its end, or is killed and recovered.
[[nodiscard]] Tally check_stops(const Path& path);
// Paths that change something which another worker can see, and so can be interfered with.
[[nodiscard]] bool can_be_interfered_with(const Path& path);

// A line of the matrix, behind what was violated. How many violations.
[[nodiscard]] std::size_t print_row(const std::string& name, const Tally& images,
                                    const Tally& recoveries, const Tally& stops,
                                    const Tally& kills);

}  // namespace sessionblocks::crash
