#include "chaos.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <random>

namespace demo {
namespace {

constexpr int kDeathLimitMs = 10'000;
constexpr std::uint64_t kLongestRunOn = 2'000;

// Whether the process was killed by this and is dead. A pidfd is readable once its process ended.
bool kill_and_wait(std::uint32_t pid) {
  const auto fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return false;
  bool dead = false;
  if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, nullptr, 0) == 0) {
    pollfd ended{fd, POLLIN, 0};
    dead = poll(&ended, 1, kDeathLimitMs) == 1;
  }
  close(fd);
  return dead;
}

}  // namespace

void draw_tickets(ChaosBoard& board, std::uint32_t kills, std::uint64_t lines, std::uint64_t seed) {
  if (kills == 0) return;
  // A line takes at least one commit, most take two; each ticket may use up `share` of them.
  const std::uint64_t share = std::max<std::uint64_t>(lines / kills, 2);
  board.run_on = static_cast<std::uint32_t>(std::min(share / 2, kLongestRunOn));
  std::mt19937_64 random(seed);
  for (std::uint32_t ticket = 0; ticket < kills; ++ticket) {
    board.kill_after.at(ticket) = 1 + random() % std::max<std::uint64_t>(share - board.run_on, 1);
  }
  board.tickets = kills;
}

std::optional<Kill> kill_next(ChaosBoard& board) {
  for (std::size_t slot = 0; slot < board.seats.size(); ++slot) {
    ChaosSeat& seat = board.seats[slot];
    // C4 (acquire): the wish before the pid. Pairs with C3 in the worker.
    if (!seat.is_ripe.load(std::memory_order_acquire)) continue;
    const std::uint32_t pid = seat.pid.load(std::memory_order_relaxed);
    if (!kill_and_wait(pid)) continue;
    // Relaxed: its writer is dead, and the process that follows waits for is_ripe.
    const Kill kill{pid, slot, seat.commits.load(std::memory_order_relaxed),
                    seat.operation.load(std::memory_order_relaxed),
                    seat.line.load(std::memory_order_relaxed)};
    // C2 (release): what was read above before the seat is free. Pairs with C1 in the worker.
    seat.is_ripe.store(false, std::memory_order_release);
    return kill;
  }
  return std::nullopt;
}

std::uint64_t commits_so_far(const ChaosBoard& board) {
  std::uint64_t sum = 0;
  // Relaxed: shown as progress, nothing depends on it.
  for (const ChaosSeat& seat : board.seats) sum += seat.all_commits.load(std::memory_order_relaxed);
  return sum;
}

}  // namespace demo
