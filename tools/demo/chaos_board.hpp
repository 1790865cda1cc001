// The page that the demo's driver and its counting workers share, outside the store: the driver is
// the judge, so what it knows of the kills must not come from what is being judged.
//
// Each counting process takes one ticket: the number of commits after which it is to die. Having
// made them it asks to be killed and goes on working, at most a stated number of commits more, so
// that the SIGKILL lands at any instruction; then it stops and waits for it. The driver kills it,
// sees it dead by its pidfd, notes where it was, and frees the seat for the process that follows.
//
// A file of the run folder, mapped by all. Nothing in it matters to the result's being right.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "operation.hpp"

namespace demo {

inline constexpr std::size_t kMostSeats = 64;       // worker slots
inline constexpr std::size_t kMostTickets = 1'000;  // kills; the suite's restart budget is the same

// Written by the worker of one slot, except `is_ripe`, which the driver takes back.
struct alignas(64) ChaosSeat {
  std::atomic<std::uint32_t> pid{0};
  std::atomic<Operation> operation{Operation::start};
  std::atomic<std::uint64_t> line{0};
  std::atomic<std::uint64_t> commits{0};      // of this process
  std::atomic<std::uint64_t> all_commits{0};  // of all processes of the slot
  std::atomic<bool> is_ripe{false};
};

struct ChaosBoard {
  // Written by the driver before anything starts.
  std::uint32_t tickets = 0;
  std::uint32_t run_on = 0;  // commits that a ripe worker may still make
  std::array<std::uint64_t, kMostTickets> kill_after{};
  // Written by workers.
  alignas(64) std::atomic<std::uint32_t> next_ticket{0};
  std::array<ChaosSeat, kMostSeats> seats;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<Operation>::is_always_lock_free);

struct UnmapBoard {
  void operator()(ChaosBoard* board) const noexcept;
};
using ChaosBoardPointer = std::unique_ptr<ChaosBoard, UnmapBoard>;

// Null, with errno, when the file cannot be made or mapped.
[[nodiscard]] ChaosBoardPointer create_chaos_board(const std::filesystem::path& path);
[[nodiscard]] ChaosBoardPointer open_chaos_board(const std::filesystem::path& path);

// The worker's side.
class ChaosWatch final : public OperationWatch {
 public:
  ChaosWatch(ChaosBoard& board, std::size_t slot);

  void before(Operation operation, std::uint64_t line) override;
  void committed() override;
  // No work is left. A worker that still holds a ticket asks for its end now and waits for it.
  void finished();

 private:
  ChaosSeat& seat_;
  std::uint64_t commits_ = 0;
  std::uint64_t kill_after_ = UINT64_MAX;
  std::uint64_t stop_after_ = UINT64_MAX;
};

}  // namespace demo
