// Reads a log back: its records with their keys, notes and gaps, in the order they were written.
//
// Reads files only, so it never slows a worker, and works while the log is being written: at the
// end next() says so, and a later call goes on. Files that the disk budget removes before they were
// read are a gap that says how many. Whatever else does not hold (altered, cut, missing) is given
// as a problem with its place, and reading goes on behind it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <sessionblocks/error.hpp>
#include <string>
#include <unordered_map>

#include "flowlog/checkpoint.hpp"
#include "flowlog/file_scanner.hpp"
#include "flowlog/key_book.hpp"
#include "flowlog/log_state.hpp"
#include "flowlog/record_codec.hpp"
#include "flowlog/values.hpp"

namespace sessionblocks::flowlog {

struct Place {
  std::string file;          // its name in the folder
  std::uint64_t offset = 0;  // of a frame, in bytes
};

// What has the keys of logged values: wiped, denied.
using FindValueKey = std::function<Result<snapshot::Key>(const snapshot::KeyId&)>;

enum class EntryKind : std::uint8_t { record, note, gap, problem, checkpoint };

struct Entry {
  EntryKind kind = EntryKind::record;
  LogRecord record;                  // of a record; of a gap: lane, sequence, time
  std::optional<LoggedValue> value;  // of a record that carried one, for who has give_values
  Errc value_code{};                 // why there is none: wiped, denied, corrupt
  std::uint64_t cells = 0;           // of a gap: how many ring cells are missing
  std::uint64_t files = 0;  // of a gap: files removed before they were read, with at least `cells`
  Note note;
  Checkpoint checkpoint;  // its signature is for who has keys to check
  std::string problem;    // what does not hold
};

class LogReader {
 public:
  // not_found: no such folder, or no log file in it.
  [[nodiscard]] static Result<LogReader> open(std::string folder);

  // From now on next() gives what is in the files at this moment, and no more: a busy writer would
  // keep a reader for ever. io_error.
  [[nodiscard]] Result<void> end_here();
  // Takes that back.
  void end_nowhere() noexcept { last_file_ = last_bytes_ = UINT64_MAX; }
  // Before the first next(): begins with the newest file, which names all that it needs. io_error.
  [[nodiscard]] Result<void> begin_at_newest();
  // Checkpoints are entries too, from now on.
  void give_checkpoints() noexcept { gives_checkpoints_ = true; }
  // Records come with the values that they carried, from now on.
  void give_values(FindValueKey find) { find_value_key_ = std::move(find); }
  // False: nothing more for now. io_error: reading failed; not_found: the folder has gone.
  [[nodiscard]] Result<bool> next(Entry& entry);
  // The file at hand is no longer in the folder, or another has its name, and none comes behind it:
  // the log was taken away, and perhaps another begun.
  [[nodiscard]] bool is_taken_away() const;
  // Where the frame of the last entry begins, or the torn tail when next() has just met that.
  [[nodiscard]] Place place() const;
  [[nodiscard]] std::uint64_t file_number() const noexcept { return file_number_; }
  // Names as of the last entry.
  [[nodiscard]] const LogState& state() const noexcept { return state_; }
  // Of the file at hand.
  [[nodiscard]] const LogIdentity& identity() const noexcept { return identity_; }
  // Bytes behind the last whole frame of the newest file: a write under way, or a torn one.
  [[nodiscard]] bool has_torn_tail() const noexcept { return has_torn_tail_; }

 private:
  explicit LogReader(std::string folder) : folder_(std::move(folder)) {}
  [[nodiscard]] Result<bool> next_frame(Entry& entry);
  [[nodiscard]] Result<std::uint64_t> last_begun() const;
  [[nodiscard]] Result<bool> next_file(Entry& entry);
  [[nodiscard]] Result<bool> pass_damage(Step step, bool is_newest, Entry& entry);
  [[nodiscard]] bool take_frame(Entry& entry);
  [[nodiscard]] bool take_beginning(Entry& entry);
  [[nodiscard]] bool take_cells(Entry& entry);
  [[nodiscard]] bool take_keys(Entry& entry);
  [[nodiscard]] bool take_values(Entry& entry);
  void give_value(Entry& entry);
  [[nodiscard]] bool take_note(Entry& entry);
  [[nodiscard]] bool take_state(Entry& entry);
  [[nodiscard]] std::uint64_t cells_since(const std::map<LaneRef, std::uint64_t>& before) const;
  [[nodiscard]] bool take_checkpoint(Entry& entry, const Chain& before);
  void complain(std::string what);
  void lose_track();
  [[nodiscard]] bool take_record(Entry& entry);
  bool report(Entry& entry, std::string what);

  std::string folder_;
  std::optional<FileScanner> scanner_;
  std::uint64_t file_number_ = 0;
  Frame frame_;
  Chain chain_{};
  bool is_first_file_ = true;
  bool is_first_frame_ = true;      // of a file
  bool has_lost_track_ = false;     // right behind damage: the next frame's chain is taken as it is
  bool awaits_checkpoint_ = false;  // that a signed file begins with
  bool gives_checkpoints_ = false;
  std::string last_whole_;  // the frame before, for people
  // What is not known (at the first file, behind damage) is taken as it comes, once.
  bool takes_any_state_ = true;
  bool takes_any_lane_ = false;
  bool takes_any_note_ = false;
  std::uint64_t place_at_ = 0;
  std::uint64_t last_file_ = UINT64_MAX;  // end_here: its number, and how much of it counts
  std::uint64_t last_bytes_ = UINT64_MAX;
  bool has_torn_tail_ = false;
  std::uint64_t files_missed_ = 0;  // removed before they were read; told with the next state
  std::map<LaneRef, std::uint64_t> next_before_;  // where the lanes stood before those files
  std::string pending_;                           // a problem to be given before frame_ is taken
  LogIdentity identity_;
  LogState state_;
  // Empty while no records frame is open. On the heap: its tables are large.
  std::unique_ptr<RecordDecoder> decoder_ = std::make_unique<RecordDecoder>();
  bool is_decoding_ = false;
  std::vector<std::byte> payload_;
  FindValueKey find_value_key_;
  std::map<std::uint64_t, LoggedValue> values_;  // of the records frame that comes, or is read
  LaneRef values_lane_;
  Errc values_code_{};                                        // why some of them are not known
  std::unordered_map<KeyRef, std::string, KeyRefHash> keys_;  // of the file at hand
};

}  // namespace sessionblocks::flowlog
