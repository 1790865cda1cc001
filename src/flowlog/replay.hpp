// Rebuilds a block from the log: what it held after each operation, from the first that the log
// has.
//
//   operation   1   2   3 ... N          of all threads, in one order
//   moment    0   1   2   3 ... N        what the block held behind each of them
//
// The order is one in which they can have happened: each thread's operations as it did them, each
// key's by version, otherwise by time. That of operations on different keys, by different threads
// and within the same few milliseconds, is not known.
//
// A new generation (a rollback, a fork's beginning, a compaction) is one operation: the log has all
// that the director filled it with. Reads files only, all of the block's operations into memory.
#pragma once

#include <map>
#include <optional>
#include <sessionblocks/error.hpp>
#include <string>
#include <vector>

#include "flowlog/log_reader.hpp"

namespace sessionblocks::flowlog {

struct ReplayEntry {
  std::uint8_t type = 0;  // layout::ValueType
  std::string value;
  bool is_known = true;  // else the log has not all of its value
  std::uint64_t version = 0;
  std::uint64_t expiry_ms = 0;  // CLOCK_MONOTONIC_COARSE; 0: never
  std::int64_t offset_ms = 0;   // what makes CLOCK_REALTIME of that

  [[nodiscard]] bool is_live(std::int64_t unix_ms) const noexcept {
    return expiry_ms == 0 || static_cast<std::int64_t>(expiry_ms) + offset_ms > unix_ms;
  }
  friend bool operator==(const ReplayEntry&, const ReplayEntry&) = default;
};
using ReplayEntries = std::map<std::string, ReplayEntry>;

// What one record changed.
struct Change {
  LaneRef lane;
  std::uint64_t sequence = 0;
  std::uint64_t time_ms = 0;  // CLOCK_MONOTONIC_COARSE
  std::int64_t unix_ms = 0;
  std::int64_t offset_ms = 0;  // between the two
  Op op = Op::put;
  std::string key;
  std::uint64_t version = 0;
  std::optional<LoggedValue> value;
  Errc value_code{};  // why it has none that it should have
};

enum class StepKind : std::uint8_t { change, generation, wiped, destroyed };

struct ReplayStep {
  StepKind kind = StepKind::change;
  Generation generation{};
  std::int64_t unix_ms = 0;
  std::vector<Change> changes;  // one; of a generation all that it was filled with
};

struct KeyDifference {
  std::string key;
  std::optional<ReplayEntry> before;
  std::optional<ReplayEntry> after;
};

class Replay {
 public:
  // `block` is a name, of the last block that had it, or #ID. not_found: no log, or no block of
  // which it has values; what LogReader says.
  [[nodiscard]] static Result<Replay> load(const std::string& folder, std::string_view block,
                                           const FindValueKey& find_key);

  [[nodiscard]] BlockId block() const noexcept { return block_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::size_t steps() const noexcept { return steps_.size(); }
  // From 1 on.
  [[nodiscard]] const ReplayStep& step(std::size_t number) const { return steps_[number - 1]; }
  // What the reader has to know before he believes it: what is missing, and where it begins.
  [[nodiscard]] const std::vector<std::string>& remarks() const noexcept { return remarks_; }
  [[nodiscard]] bool is_damaged() const noexcept { return is_damaged_; }

  // The moment at hand, steps() at first.
  [[nodiscard]] std::size_t moment() const noexcept { return moment_; }
  void seek(std::size_t moment);
  // With those that have expired by now.
  [[nodiscard]] const ReplayEntries& entries() const noexcept { return entries_; }
  [[nodiscard]] ReplayEntries entries_at(std::int64_t unix_ms) const;
  [[nodiscard]] Generation generation() const noexcept { return generation_; }
  // When the step before the moment happened; 0: before the first.
  [[nodiscard]] std::int64_t unix_ms() const noexcept;

  // The last moment before anything that happened later than that.
  [[nodiscard]] std::size_t moment_at(std::int64_t unix_ms) const noexcept;
  // Behind the step of this record; no answer: none is of it.
  [[nodiscard]] std::optional<std::size_t> moment_after(LaneRef lane,
                                                        std::uint64_t sequence) const noexcept;
  // What differs between two moments, by key.
  [[nodiscard]] std::vector<KeyDifference> difference(std::size_t before, std::size_t after);

 private:
  friend class ReplayLoader;
  Replay() = default;
  void forward();
  void back();
  void apply(const Change& change);
  void set(const std::string& key, std::optional<ReplayEntry> entry);

  // To undo a step: what its keys were before it, or all of them.
  struct Undo {
    Generation generation{};
    std::optional<ReplayEntries> all;
    std::vector<std::pair<std::string, std::optional<ReplayEntry>>> keys;  // the last change first
  };

  BlockId block_{};
  std::string name_;
  std::vector<ReplayStep> steps_;
  std::vector<std::string> remarks_;
  bool is_damaged_ = false;
  std::size_t moment_ = 0;
  Generation generation_{};
  ReplayEntries entries_;
  std::vector<Undo> undo_;
};

}  // namespace sessionblocks::flowlog
