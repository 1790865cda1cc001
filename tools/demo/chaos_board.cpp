#include "chaos_board.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <new>
#include <thread>

namespace demo {
namespace {

ChaosBoard* map_board(const std::filesystem::path& path, int flags) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | flags, 0600);
  if (fd < 0) return nullptr;
  void* mapped = MAP_FAILED;
  if ((flags & O_CREAT) == 0 || ftruncate(fd, sizeof(ChaosBoard)) == 0) {
    mapped = mmap(nullptr, sizeof(ChaosBoard), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  close(fd);
  return mapped == MAP_FAILED ? nullptr : static_cast<ChaosBoard*>(mapped);
}

[[noreturn]] void wait_for_the_end() {
  for (;;) pause();
}

}  // namespace

void UnmapBoard::operator()(ChaosBoard* board) const noexcept {
  munmap(board, sizeof(ChaosBoard));
}

ChaosBoardPointer create_chaos_board(const std::filesystem::path& path) {
  ChaosBoard* const board = map_board(path, O_CREAT | O_EXCL);
  return ChaosBoardPointer(board == nullptr ? nullptr : new (board) ChaosBoard);
}

ChaosBoardPointer open_chaos_board(const std::filesystem::path& path) {
  return ChaosBoardPointer(map_board(path, 0));
}

ChaosWatch::ChaosWatch(ChaosBoard& board, std::size_t slot) : seat_(board.seats.at(slot)) {
  // The driver may still be noting where the process before this one died.
  // C1 (acquire): the seat after the driver has read it. Pairs with C2 in the driver.
  while (seat_.is_ripe.load(std::memory_order_acquire)) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  seat_.commits.store(0, std::memory_order_relaxed);
  before(Operation::start, 0);
  seat_.pid.store(static_cast<std::uint32_t>(getpid()), std::memory_order_relaxed);
  // Relaxed: the tickets were written before this process was started.
  const std::uint32_t ticket = board.next_ticket.fetch_add(1, std::memory_order_relaxed);
  if (ticket < board.tickets) {
    kill_after_ = board.kill_after.at(ticket);
    stop_after_ = kill_after_ + board.run_on;
  }
}

void ChaosWatch::before(Operation operation, std::uint64_t line) {
  // Relaxed: they are read when this process is dead.
  seat_.operation.store(operation, std::memory_order_relaxed);
  seat_.line.store(line, std::memory_order_relaxed);
}

void ChaosWatch::committed() {
  ++commits_;
  seat_.commits.store(commits_, std::memory_order_relaxed);
  seat_.all_commits.fetch_add(1, std::memory_order_relaxed);
  if (commits_ < kill_after_) return;
  // C3 (release): the pid before the wish. Pairs with C4 in the driver.
  seat_.is_ripe.store(true, std::memory_order_release);
  if (commits_ >= stop_after_) wait_for_the_end();
}

void ChaosWatch::finished() {
  before(Operation::idle, 0);
  if (kill_after_ == UINT64_MAX) return;
  seat_.is_ripe.store(true, std::memory_order_release);  // C3
  wait_for_the_end();
}

}  // namespace demo
