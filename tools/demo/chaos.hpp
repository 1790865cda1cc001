// The driver's side of the chaos: hands out tickets, and kills the workers whose time has come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "chaos_board.hpp"

namespace demo {

struct Kill {
  std::uint32_t pid;
  std::size_t slot;
  std::uint64_t commits;  // that the process had made
  Operation operation;    // in which it died
  std::uint64_t line;     // 0: it was about no line
};

// Draws `kills` numbers of commits so that all of them fit into half of the commits that counting
// `lines` lines takes: each worker then gets to its number before the work is gone.
void draw_tickets(ChaosBoard& board, std::uint32_t kills, std::uint64_t lines, std::uint64_t seed);

// Kills one worker that asked for it, and waits until it is dead. Nothing when none asks now, or
// when it could not be killed, which leaves it asking.
[[nodiscard]] std::optional<Kill> kill_next(ChaosBoard& board);

// Commits of all workers so far.
[[nodiscard]] std::uint64_t commits_so_far(const ChaosBoard& board);

}  // namespace demo
