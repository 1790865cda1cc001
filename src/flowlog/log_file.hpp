// The writing end of a log: frames are staged in memory and appended with one write() a commit.
//
// One thread. Files are rotated by size and age and removed, oldest first, beyond the disk budget.
// With a key, checkpoints are signed: one at the beginning of each file, and in between.
// Invariants
//  1. What commit() acknowledged is in the files, as a prefix of what was staged, in order.
//  2. Each file defines every key that it names, so any file can go without the others' names.
//  3. A lane's frames follow one another by cell index; what is missing between two of them is
//     stated by a gap frame.
//  4. A file takes records or notes before the next one begins, however small it shall be.
// A crash leaves a torn last frame at most; open() cuts it. What a person altered is never cut:
// the log then goes on in a new file that says so.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>
#include <vector>

#include "flowlog/checkpoint.hpp"
#include "flowlog/frame.hpp"
#include "flowlog/key_book.hpp"
#include "flowlog/log_event.hpp"
#include "flowlog/log_state.hpp"
#include "flowlog/record_codec.hpp"
#include "flowlog/values.hpp"
#include "platform/disk_file.hpp"

namespace sessionblocks::flowlog {

struct LogConfig {
  std::string folder;  // made (0700) if its parent is there
  std::string system;
  Instance instance{};
  std::string key_file;  // signs checkpoints, made if it is not there; empty: they are not kept
  std::uint64_t rotate_bytes = 64U << 20U;
  std::uint64_t rotate_ms = 86'400'000;
  // Of all files, with what the open one may come to; it is never removed.
  std::uint64_t budget_bytes = std::uint64_t{2} << 30U;
  std::uint64_t checkpoint_ms = 60'000;  // the longest that something new goes without one
  std::uint64_t key_memory_bytes = 256U << 20U;
  std::shared_ptr<const ValueKeys> value_keys{};  // null: no values are kept
};

// Cells of one lane that were checked (lane_cells.hpp), whole records only.
struct RecordBatch {
  LaneRef lane;
  std::uint64_t first = 0;   // index of cells[0]
  std::uint64_t now_ms = 0;  // CLOCK_MONOTONIC_COARSE when they were copied
  std::span<const RingCell> cells;
};

class LogFile final : private KeyNamed {
 public:
  using OpenTable = std::function<BlockRef(std::uint16_t open)>;
  using LearnKeys = std::function<void(KeyBook&)>;

  // Takes up the log in the folder or begins one. Cuts a torn tail; state() then says how far each
  // lane had got, if the log is of the same instance. io_error, denied; out_of_memory:
  // not even a name fits on the disk (when only the bytes do not, they stay staged);
  // invalid_argument: a budget that one file passes; malformed: a damaged key.
  [[nodiscard]] static Result<LogFile> open(LogConfig config);

  [[nodiscard]] const LogState& state() const noexcept { return state_; }
  // What went wrong since this was asked last, and what was done about it.
  [[nodiscard]] std::vector<LogEvent> take_findings() { return std::exchange(findings_, {}); }
  [[nodiscard]] const std::string& folder() const noexcept { return config_.folder; }
  [[nodiscard]] KeyBook& keys() noexcept { return keys_; }
  // Asked when a record names a key that is not in keys(): looks for definitions not yet drained.
  void on_unknown_key(LearnKeys learn) { learn_keys_ = std::move(learn); }

  // Stage. Cells that the log has already are passed over; a gap before them is stated. bad_alloc.
  void add_records(const RecordBatch& batch, const OpenTable& opens);
  void add_note(const Note& note);
  [[nodiscard]] std::size_t staged_bytes() const noexcept { return staged_.size(); }

  // Appends all that is staged. After an error nothing is lost: call again later, or drop().
  [[nodiscard]] Result<void> commit();
  // Gives up the staged records and takes back what of them is in the file. Notes stay staged, and
  // so do frames that state which records are missing.
  void drop();
  // Starts a new file when it is time and nothing is staged. A failure keeps the old.
  void rotate_if_due(std::uint64_t now_ms);
  // Stages a checkpoint when it is time, or at once, unless there is nothing new.
  void checkpoint_if_due(std::uint64_t now_ms);
  void checkpoint();
  // How long until one of the two is due; nothing: not before there is something new.
  [[nodiscard]] std::optional<std::uint64_t> due_in_ms(std::uint64_t now_ms) const noexcept;
  // Removes the oldest files that the budget has no room for; stages a note of it.
  void keep_budget();
  [[nodiscard]] Result<void> sync() { return file_.sync(); }

  [[nodiscard]] std::uint64_t file_number() const noexcept { return identity_.file_number; }
  // All transitions before it are in files.
  [[nodiscard]] std::uint64_t next_transition() const noexcept { return committed_transition_; }
  [[nodiscard]] std::uint64_t unknown_keys() const noexcept { return unknown_keys_; }
  [[nodiscard]] std::uint64_t written_bytes() const noexcept { return written_bytes_; }
  [[nodiscard]] std::uint64_t removed_files() const noexcept { return removed_files_; }

 private:
  LogFile(LogConfig config, LogIdentity identity);
  void key_named(KeyRef key) override;
  void key_defined(KeyRef key, std::span<const std::byte> bytes) override;
  [[nodiscard]] Result<void> begin_file();
  void put_beginning();
  void put_note(const Note& note);
  void stage_note(const Note& note);
  void put_checkpoint();
  void publish_key();
  void put_gap(LaneRef lane, std::uint64_t end);
  void put_frame(FrameHeader header);
  void put_missing_keys();
  // Of those of records whose block has a key; the values of others are not kept.
  void put_values(FrameHeader header, const std::map<BlockRef, ValueRows>& values);
  [[nodiscard]] KeyBook::Entry* look_up(KeyRef key);
  void load_older_keys();
  void note_removed(std::uint64_t first, std::uint64_t last, std::uint64_t bytes);
  [[nodiscard]] std::string path_of(std::uint64_t number) const;

  LogConfig config_;
  LogIdentity identity_;
  platform::DiskFile file_;
  std::uint64_t file_bytes_ = 0;  // committed
  bool must_cut_ = false;         // there are bytes behind those that drop() could not take back
  std::uint64_t file_begun_ms_ = 0;
  bool has_content_ = false;  // records, gaps or notes, not only what each file begins with
  std::uint64_t written_bytes_ = 0;
  std::uint64_t removed_files_ = 0;
  Chain committed_chain_{};
  std::uint64_t committed_transition_ = 0;
  std::vector<LogEvent> findings_;

  std::optional<SigningKey> key_;
  bool is_published_ = false;
  bool has_complained_ = false;  // that it cannot be published
  bool has_unsigned_ = false;    // something stands behind the last checkpoint
  std::uint64_t signed_ms_ = 0;  // when that was staged
  std::uint64_t staged_checkpoints_ = 0;

  ByteBuffer staged_;
  bool stages_content_ = false;
  std::size_t staged_written_ = 0;  // of a commit that failed half way
  Chain chain_{};
  LogState state_;
  std::vector<std::pair<LaneRef, std::uint64_t>> staged_lanes_;  // where each stood before
  std::vector<Note> staged_notes_;

  RecordEncoder encoder_;
  ByteBuffer payload_;
  KeyBook keys_;
  std::uint64_t key_stamp_ = 1;
  struct Mention {
    KeyRef key;
    bool is_definition;
  };
  std::vector<Mention> mentioned_;  // by the records of the frame under way, in their order
  LearnKeys learn_keys_;
  std::uint64_t oldest_loaded_ = 0;  // files from here on have been searched for keys
  bool looked_for_keys_ = false;     // in the rings, for the batch at hand
  std::uint64_t unknown_keys_ = 0;

  friend class LogAdoption;
};

}  // namespace sessionblocks::flowlog
