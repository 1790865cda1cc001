// The next generation of a block, and a fork, in the making: beside a writer that stands at any of
// its instructions, and by a director that stands at any of its own. No rows and no names; what
// registry_generations.cpp and registry_forks.cpp do between them.
#pragma once

#include "campaign.hpp"

#include <array>

namespace sessionblocks::crash {

enum class Purpose : std::uint8_t { roll_back, swap, fork };
inline constexpr std::array kPurposes = {Purpose::roll_back, Purpose::swap, Purpose::fork};
[[nodiscard]] const char* word(Purpose purpose) noexcept;

struct GenerationTally {
  Tally images;  // of the generation that counts
  Tally stops;
  Tally kills;
};

// At every `stride`-th instruction of the path's writer: it stands while the next generation is
// made, then goes on or is killed. What it was told is in the generation that counted then, and the
// next one shows one moment of it.
[[nodiscard]] GenerationTally check_beside_writer(Purpose purpose, const Path& path,
                                                  std::uint64_t stride);

// The generation that counts is looked at after each instruction of the director that changed a
// byte of it. At every `stride`-th the director stands while others write where they may and then
// goes on, or is killed and another one begins anew.
[[nodiscard]] GenerationTally check_maker(Purpose purpose, std::uint64_t stride);

// Both at every instruction that counts: lines of the matrix. How many violations; `only`: the one
// line of that name.
[[nodiscard]] std::size_t print_generations(const char* only);

}  // namespace sessionblocks::crash
