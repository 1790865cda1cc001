// Which key is next and what is done to it: drawn before the clock starts, from a fixed seed.
#pragma once

#include <cstdint>
#include <vector>

#include "case.hpp"

namespace sessionblocks::bench {

enum class StepKind : std::uint8_t { read, update, insert, modify, increment };

struct Step {
  std::uint32_t key = 0;  // Spread::latest, read: how many inserts ago; insert: nothing
  StepKind kind = StepKind::read;
};

// The steps of one process, to be walked in a circle. `process` counts from 0.
[[nodiscard]] std::vector<Step> make_schedule(const Case& one, unsigned process,
                                              std::uint64_t seed);

}  // namespace sessionblocks::bench
