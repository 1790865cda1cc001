// Plays normal traffic, or an attack hidden in it, and says what the guard found.
#pragma once

#include <optional>

#include "attack.hpp"

namespace sessionblocks::guard_trial {

// One attack with one seed.
struct Played {
  std::optional<std::uint64_t> found_after_ms;  // from its first act, by the guard's clock
  Found found;
  std::vector<Found> false_alarms;
  std::string drawn;
};
[[nodiscard]] Played play(const AttackInfo& attack, std::uint64_t seed);

// Normal traffic alone.
struct Calm {
  std::vector<Found> false_alarms;
  std::uint64_t operations = 0;
  std::uint64_t failed = 0;
  std::string first_failure;
};
[[nodiscard]] Calm play_normal(double hours, std::uint64_t seed);

}  // namespace sessionblocks::guard_trial
