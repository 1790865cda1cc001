// A worker's side of its journal: says what it is about to do before it does it, and what came of
// it afterwards; measures how long it took.
#pragma once

#include <sessionblocks/error.hpp>

#include <chrono>
#include <ctime>

#include "board.hpp"
#include "platform/clock.hpp"
#include "stamp.hpp"

namespace sessionblocks::torture {

inline void nap(std::chrono::microseconds time) {
  const timespec span{0, static_cast<long>(time.count()) * 1'000};
  ::nanosleep(&span, nullptr);
}

// Adds an entry that is final at once. For whoever writes the journal now.
inline void note(Journal& journal, const JournalEntry& entry) {
  const std::uint64_t at = journal.ended.load(std::memory_order_relaxed);
  while (at - journal.taken.load(std::memory_order_acquire) >= kJournalEntries) {
    nap(std::chrono::microseconds(50));
  }
  journal.entries[at % kJournalEntries] = entry;
  journal.begun.store(at + 1, std::memory_order_release);
  // J1 (release): the entry before the count that shows it. Pairs with J2 in the oracle.
  journal.ended.store(at + 1, std::memory_order_release);
}
inline JournalEntry note_of(Act act, std::uint64_t argument) {
  JournalEntry entry{};
  entry.act = static_cast<std::uint8_t>(act);
  entry.argument = argument;
  entry.start_ns = entry.end_ns = platform::monotonic_ns();
  entry.start_ms = entry.end_ms = platform::monotonic_coarse_ms();
  return entry;
}

class Recorder {
 public:
  Recorder(Board& board, unsigned slot)
      : board_(board), slot_(board.slots[slot]), number_(slot), life_(slot_.life.load()) {}

  // The entry to complete; begin_now() when all of the order stands in it.
  [[nodiscard]] JournalEntry& next(Op op, std::uint32_t key) {
    const std::uint64_t at = slot_.journal.ended.load(std::memory_order_relaxed);
    while (at - slot_.journal.taken.load(std::memory_order_acquire) >= kJournalEntries) {
      nap(std::chrono::microseconds(50));
    }
    JournalEntry& entry = slot_.journal.entries[at % kJournalEntries];
    entry = JournalEntry{};
    entry.act = static_cast<std::uint8_t>(op);
    entry.key = key;
    entry.written = stamp_id(number_, life_, ++operations_);
    return entry;
  }
  void begin_now(JournalEntry& entry) {
    stops_ = slot_.stops.load(std::memory_order_relaxed);
    entry.start_ms = platform::monotonic_coarse_ms();
    entry.start_ns = platform::monotonic_ns();
    slot_.journal.begun.store(slot_.journal.ended.load(std::memory_order_relaxed) + 1,
                              std::memory_order_release);
  }
  void end(JournalEntry& entry, Errc outcome) {
    entry.end_ns = platform::monotonic_ns();
    entry.end_ms = platform::monotonic_coarse_ms();
    entry.outcome = static_cast<std::uint16_t>(outcome);
    const bool undisturbed =
        stops_ % 2 == 0 && slot_.stops.load(std::memory_order_relaxed) == stops_;
    if (undisturbed) {
      slot_.latency[board_.phase.load(std::memory_order_relaxed)].add(entry.end_ns -
                                                                      entry.start_ns);
    }
    slot_.journal.ended.store(slot_.journal.begun.load(std::memory_order_relaxed),
                              std::memory_order_release);
  }
  void add(const JournalEntry& entry) { note(slot_.journal, entry); }

  // Between two operations: waits while the driver looks. False: it is time to end.
  [[nodiscard]] bool may_go_on() {
    while (const std::uint32_t pause = board_.pause.load(std::memory_order_acquire)) {
      slot_.parked.store(pause, std::memory_order_release);
      if (board_.stop.load(std::memory_order_acquire) != 0) return false;
      nap(std::chrono::microseconds(200));
    }
    const bool rests = slot_.is_hot.load(std::memory_order_relaxed) == 0;
    if (rests && ++unrested_ % kBetweenRests == 0) nap(kRest);
    return board_.stop.load(std::memory_order_acquire) == 0;
  }
  // A word that the next worker of this slot finds.
  [[nodiscard]] std::uint64_t remembered() const noexcept { return slot_.remembered.load(); }
  void remember(std::uint64_t word) noexcept { slot_.remembered.store(word); }
  [[nodiscard]] std::uint64_t operations() const noexcept { return operations_; }

 private:
  static constexpr unsigned kBetweenRests = 4;  // operations
  static constexpr std::chrono::microseconds kRest{300};

  Board& board_;
  Slot& slot_;
  unsigned number_;
  std::uint32_t life_;
  std::uint64_t operations_ = 0;
  std::uint32_t stops_ = 0;
  unsigned unrested_ = 0;
};

}  // namespace sessionblocks::torture
