// The oracle: knows from the workers' journals what they were told, from the audit log what was
// committed, and says where the store contradicts either. It keeps nothing in the store.
//
// take() reads what the journals have; judge() is for a pause, when nobody is inside an operation,
// every dead worker is recovered and every ring is drained. It holds
//  1. each journal against the records of its worker: one record for each operation, in order, with
//     the same outcome and version; behind them at most one more, of the operation in which it
//     died;
//     Between them stand the evictions, each of the operation that found no room: changes of other
//     keys, by that worker, while it lasted;
//  2. each key's history against what may happen (history.hpp);
//     Nothing was done to the block while it was sealed or quarantined;
//  3. the entries that are in the block against the state in which each key must be by now.
// What was cut off by a kill counts as done exactly if the log has its record.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "board.hpp"
#include "flowlog/log_reader.hpp"
#include "history.hpp"
#include "keys.hpp"
#include "moves.hpp"

namespace sessionblocks::torture {

struct FoundEntry {
  std::string key;
  std::uint64_t version = 0;
  bool is_integer = false;
  std::string bytes;
  friend bool operator==(const FoundEntry&, const FoundEntry&) = default;
};

// The block was sealed, or quarantined, and is active again.
struct Withheld {
  bool from_readers = false;  // too
  std::uint64_t start_ns = 0;
  std::uint64_t from_ns = 0;  // surely from here
  std::uint64_t until_ns = 0;
  std::uint64_t end_ns = 0;  // surely not from here
};

class Oracle {
 public:
  // `logs_reads`: whether the block's audit level has records of reads; without them a read is
  // judged when the call returned a version. What the block does when it is full is on the board.
  Oracle(Board& board, const KeySet& keys, std::string log_folder, bool logs_reads);

  // What workers and warden have written since the last time. Often: they wait when it is full.
  void take();
  void judge(const std::vector<FoundEntry>& entries);
  void complain(const std::string& what);
  // What the director did to the block since the last pause; it says so by this worker's lane. At
  // most one rollback.
  void know_director(std::uint32_t worker, std::uint32_t block);
  void rolled_back(const RolledBack& event);
  void showed(Instant instant);
  void withheld(const Withheld& withheld) { withheld_.push_back(withheld); }
  // Of every key, as it was judged last.
  [[nodiscard]] States states() const {
    return std::make_shared<const std::vector<KeyState>>(states_);
  }
  [[nodiscard]] std::uint64_t brought_back() const noexcept { return brought_back_; }
  // The workers that live now, by their journals; nothing while one of the slots has none.
  [[nodiscard]] std::optional<std::set<std::uint32_t>> living() const;

  // Every operation of a pause, with its key, when somebody wants to know; before it is checked.
  std::function<void(std::uint32_t key, const std::vector<Done>& done)> on_history;

  // Journal entries so far, and how many of them were judged.
  [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }
  [[nodiscard]] std::uint64_t operations() const noexcept { return operations_; }
  [[nodiscard]] std::uint64_t records() const noexcept { return records_; }
  [[nodiscard]] std::uint64_t evictions() const noexcept { return evictions_; }
  [[nodiscard]] std::uint64_t evictions_cut_off() const noexcept { return evictions_cut_off_; }
  [[nodiscard]] std::uint64_t cut_off() const noexcept { return cut_off_; }
  [[nodiscard]] std::uint64_t cut_off_done() const noexcept { return cut_off_done_; }
  [[nodiscard]] std::uint64_t refused_for_memory() const noexcept { return refused_for_memory_; }
  [[nodiscard]] std::uint64_t refused_by_state() const noexcept { return refused_by_state_; }
  [[nodiscard]] std::uint64_t violations() const noexcept { return violations_; }
  [[nodiscard]] const std::vector<std::string>& first_violations() const noexcept {
    return first_violations_;
  }

 private:
  struct Record {
    std::uint64_t version = 0;
    std::uint32_t key = 0;
    std::uint32_t value_bytes = 0;
    std::uint16_t outcome = 0;
    Op op = Op::get;
  };
  // One process of a slot.
  struct Life {
    std::uint32_t number = 0;
    std::uint32_t worker = 0;  // 0: it had not attached, or not said so
    bool is_over = false;
    std::deque<JournalEntry> entries;
  };

  void take(unsigned slot);
  void read_log();
  void match(unsigned slot, Life& life);
  void unrecorded(unsigned slot, const Life& life, const JournalEntry& entry);
  void match_one(unsigned slot, const Life& life, const JournalEntry& entry, const Record* record);
  [[nodiscard]] static Done done_of(unsigned slot, const Life& life, const JournalEntry& entry,
                                    const Record& record);
  void add(unsigned slot, const Life& life, const JournalEntry& entry, const Record& record);
  [[nodiscard]] bool was_refused_by_state(const JournalEntry& entry) const;
  [[nodiscard]] bool must_be_refused(const JournalEntry& entry) const;
  void compare(const std::vector<FoundEntry>& entries);
  void match_director();
  [[nodiscard]] static JournalEntry spanning(const JournalEntry* first, const JournalEntry& last);
  void take_side_records(unsigned slot, const Life& life, const JournalEntry& entry,
                         std::deque<Record>& records);
  static void forget_refused(std::deque<Record>& records, const JournalEntry& entry, Errc why);
  static void forget_refused(std::deque<Record>& records, const JournalEntry& entry);
  void take_refused(unsigned slot, const Life& life, std::vector<const JournalEntry*>& refused,
                    const JournalEntry& entry, std::deque<Record>& records);
  void take_evictions(unsigned slot, const Life& life, const JournalEntry& entry,
                      std::deque<Record>& records);

  Board& board_;
  const KeySet& keys_;
  std::string log_folder_;
  bool logs_reads_;
  std::optional<flowlog::LogReader> log_;
  std::array<std::deque<Life>, kMostSlots> lives_;
  std::map<std::uint32_t, std::deque<Record>> log_records_;  // by worker
  std::vector<KeyState> states_;
  std::vector<std::vector<Done>> history_;
  std::uint32_t director_ = 0;
  std::uint32_t block_ = 0;
  std::optional<RolledBack> rolled_back_;
  bool ever_rolled_back_ = false;
  std::set<std::uint32_t> named_;  // keys that the director's records of it name
  std::vector<Instant> instants_;
  std::vector<Withheld> withheld_;  // since the last pause
  std::uint64_t refused_by_state_ = 0;
  std::uint64_t brought_back_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t cut_off_ = 0;
  std::uint64_t evictions_ = 0;
  std::uint64_t evictions_cut_off_ = 0;  // by who died before the room was used
  std::uint64_t cut_off_done_ = 0;
  std::uint64_t refused_for_memory_ = 0;
  std::uint64_t violations_ = 0;
  std::vector<std::string> first_violations_;
};

}  // namespace sessionblocks::torture
