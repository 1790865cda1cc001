#include "flowlog/log_reader.hpp"

#include <algorithm>

#include "flowlog/frame_text.hpp"

namespace sessionblocks::flowlog {

namespace {
// A lane of which nothing was logged may be there or not.
bool is_same(std::map<LaneRef, std::uint64_t> a, std::map<LaneRef, std::uint64_t> b) {
  const auto is_empty = [](const auto& lane) { return lane.second == 0; };
  std::erase_if(a, is_empty);
  std::erase_if(b, is_empty);
  return a == b;
}

std::int64_t unix_ms_of(const FrameHeader& header) noexcept {
  return static_cast<std::int64_t>(header.time_ms +
                                   static_cast<std::uint64_t>(header.realtime_offset_ms));
}
}  // namespace

Result<LogReader> LogReader::open(std::string folder) {
  auto numbers = log_files(folder);
  if (!numbers) return tl::unexpected(std::move(numbers).error());
  if (numbers->empty()) return fail(Errc::not_found, "log files in " + folder);
  return LogReader(std::move(folder));
}

Result<void> LogReader::end_here() {
  auto numbers = log_files(folder_);
  if (!numbers) return tl::unexpected(std::move(numbers).error());
  if (numbers->empty()) return {};
  auto file = platform::DiskFile::open_read(folder_ + "/" + log_file_name(numbers->back()));
  if (!file) return tl::unexpected(std::move(file).error());
  auto bytes = file->size_bytes();
  if (!bytes) return tl::unexpected(std::move(bytes).error());
  last_file_ = numbers->back();
  last_bytes_ = *bytes;
  return {};
}

Result<void> LogReader::begin_at_newest() {
  const auto newest = last_begun();
  if (!newest) return tl::unexpected(newest.error());
  if (*newest != 0) file_number_ = *newest - 1;
  return {};
}

bool LogReader::is_taken_away() const {
  // The file first, then the list: what the budget removed had a newer one behind it by then.
  const std::string path = folder_ + "/" + log_file_name(file_number_);
  if (scanner_ && scanner_->is_file(path)) return false;
  const auto numbers = log_files(folder_);
  if (!numbers) return numbers.error() == Errc::not_found;
  // Without a file at hand that one was read to its end, and the next has yet to show.
  return numbers->empty() || numbers->back() < file_number_ ||
         (scanner_ && numbers->back() == file_number_);
}

Place LogReader::place() const {
  return {log_file_name(file_number_), place_at_};
}

bool LogReader::report(Entry& entry, std::string what) {
  entry.kind = EntryKind::problem;
  entry.problem = std::move(what);
  return true;
}

Result<bool> LogReader::next(Entry& entry) {
  while (true) {
    if (is_decoding_) {
      if (take_record(entry)) return true;
      continue;
    }
    auto more = next_frame(entry);
    if (!more || !*more) return more;
    if (entry.kind == EntryKind::problem) return true;
    if (take_frame(entry)) return true;
  }
}

// Goes to the next frame. An entry of kind problem: one was found on the way.
Result<bool> LogReader::next_frame(Entry& entry) {
  entry.kind = EntryKind::record;
  entry.files = 0;
  while (true) {
    const bool is_past = file_number_ > last_file_ || (scanner_ && file_number_ == last_file_ &&
                                                       scanner_->next_at() >= last_bytes_);
    if (is_past) return false;
    if (!scanner_) {
      auto opened = next_file(entry);
      if (!opened || !*opened || entry.kind == EntryKind::problem) return opened;
    }
    auto step = scanner_->next(frame_);
    if (!step) return tl::unexpected(std::move(step).error());
    if (*step == Step::frame) return true;
    if (*step == Step::end) has_torn_tail_ = false;
    const auto last = last_begun();
    if (!last) return tl::unexpected(last.error());
    const bool is_newest = *last <= file_number_;
    if (*step == Step::end && is_newest) return false;
    if (*step != Step::malformed && !is_newest) {
      // The writer ended this file before it began the next: one more look finds all of it.
      step = scanner_->next(frame_);
      if (!step) return tl::unexpected(std::move(step).error());
      if (*step == Step::frame) return true;
      if (*step == Step::end) {
        scanner_.reset();
        continue;
      }
    }
    return pass_damage(*step, is_newest, entry);
  }
}

// The newest file, 0 if there is none. One without all that each file begins with has not begun: a
// director that dies now leaves it to its successor to remove, and to go on in the file before.
Result<std::uint64_t> LogReader::last_begun() const {
  auto numbers = log_files(folder_);
  if (!numbers) return tl::unexpected(std::move(numbers).error());
  if (numbers->empty()) return 0;
  const std::uint64_t newest = numbers->back();
  if (numbers->size() == 1 || newest <= file_number_) return newest;
  auto file = platform::DiskFile::open_read(folder_ + "/" + log_file_name(newest));
  if (!file)
    return file.error() == Errc::not_found ? Result<std::uint64_t>(0)
                                           : tl::unexpected(std::move(file).error());
  FileScanner beginning(std::move(*file));
  Frame frame;
  LogIdentity identity;
  int expected = 2;
  for (int frames = 0; frames < expected; ++frames) {
    const auto step = beginning.next(frame);
    if (!step) return tl::unexpected(step.error());
    if (*step == Step::frame) {
      const bool is_signed = frames == 0 && decode(frame.payload, identity) && identity.signer;
      if (is_signed) expected = 3;
      continue;
    }
    // With whole frames behind it was altered, and is not about to be removed.
    const auto goes_on = *step == Step::end ? Result<bool>(false) : beginning.resync();
    if (!goes_on) return tl::unexpected(goes_on.error());
    return *goes_on ? newest : *(numbers->rbegin() + 1);
  }
  return newest;
}

Result<bool> LogReader::next_file(Entry& entry) {
  auto numbers = log_files(folder_);
  if (!numbers) return tl::unexpected(std::move(numbers).error());
  const auto at = std::upper_bound(numbers->begin(), numbers->end(), file_number_);
  if (at == numbers->end()) return false;
  auto file = platform::DiskFile::open_read(folder_ + "/" + log_file_name(*at));
  // Removed since it was listed: the next list does not have it.
  if (!file && file.error() == Errc::not_found) return next_file(entry);
  if (!file) return tl::unexpected(std::move(file).error());
  const std::uint64_t expected = file_number_ + 1;
  // The oldest files go to keep the disk budget, perhaps the one at hand and some behind it.
  const bool is_oldest = at == numbers->begin();
  scanner_.emplace(std::move(*file));
  file_number_ = *at;
  is_first_frame_ = true;
  awaits_checkpoint_ = false;
  if (is_first_file_ || *at == expected) return true;
  if (is_oldest && files_missed_ == 0) next_before_ = state_.next;
  if (is_oldest) files_missed_ += *at - expected;
  lose_track();
  place_at_ = 0;
  // What is missing behind older files somebody else took.
  if (!is_oldest) return report(entry, "the file " + log_file_name(expected) + " is missing");
  is_first_file_ = is_first_frame_ = true;
  has_lost_track_ = false;
  return true;
}

Result<bool> LogReader::pass_damage(Step step, bool is_newest, Entry& entry) {
  const std::uint64_t at = scanner_->next_at();
  auto goes_on = scanner_->resync();
  if (!goes_on) return tl::unexpected(std::move(goes_on).error());
  if (*goes_on && scanner_->next_at() == at) return next_frame(entry);
  if (!*goes_on) {
    // Torn at the very end: perhaps being written; the scanner stays where it is.
    if (is_newest && step == Step::torn) {
      has_torn_tail_ = true;
      place_at_ = at;
      return false;
    }
    // A write may have ended, and a rotation come, since we looked: then it is whole by now.
    auto again = scanner_->next(frame_);
    if (!again) return tl::unexpected(std::move(again).error());
    if (*again == Step::frame) return true;
    scanner_.reset();
  }
  lose_track();
  place_at_ = at;
  const std::string behind = last_whole_.empty() ? "" : ", behind " + last_whole_;
  return report(entry,
                (step == Step::torn ? "a frame at byte " + std::to_string(at) + " is cut short"
                                    : "the frame at byte " + std::to_string(at) + " was altered") +
                    behind);
}

void LogReader::complain(std::string what) {
  if (pending_.empty()) pending_ = std::move(what);
}

// What stood in the damaged part is not known: lanes, notes and states go on as they come.
void LogReader::lose_track() {
  has_lost_track_ = takes_any_state_ = takes_any_lane_ = takes_any_note_ = true;
  is_first_frame_ = awaits_checkpoint_ = false;
  state_.next.clear();
}

// True: `entry` is filled.
bool LogReader::take_frame(Entry& entry) {
  place_at_ = scanner_->frame_at();
  const bool is_beginning = frame_.header.kind == FrameKind::file_begin;
  if (is_beginning != is_first_frame_ && !has_lost_track_) {
    return report(entry, "a file does not begin as one");
  }
  is_first_frame_ = false;
  const std::string before = std::exchange(last_whole_, frame_text(frame_.header));
  if (is_beginning) return take_beginning(entry);
  const bool holds = has_lost_track_ || chain_holds(frame_, chain_);
  const Chain chain = std::exchange(chain_, frame_.header.chain);
  if (!holds) {
    pending_ = last_whole_ + ": the frame does not follow the one before it (" + before +
               "): one was altered, added or removed";
  }
  if (awaits_checkpoint_ && frame_.header.kind != FrameKind::checkpoint) {
    complain("the file does not begin with its checkpoint");
  }
  if (frame_.header.kind != FrameKind::state) awaits_checkpoint_ = false;
  bool is_filled = false;
  switch (frame_.header.kind) {
    case FrameKind::records:
    case FrameKind::gap:
      is_filled = take_cells(entry);
      break;
    case FrameKind::keys:
      is_filled = take_keys(entry);
      break;
    case FrameKind::values:
      is_filled = take_values(entry);
      break;
    case FrameKind::note:
      is_filled = take_note(entry);
      break;
    case FrameKind::state:
      is_filled = take_state(entry);
      break;
    case FrameKind::checkpoint:
      is_filled = take_checkpoint(entry, chain);
      break;
    default:
      is_filled = report(entry, "a frame of no known kind");
      break;
  }
  has_lost_track_ = false;
  if (!pending_.empty()) return report(entry, std::exchange(pending_, {}));
  return is_filled;
}

// What a file states at its start must be what the files before it came to.
bool LogReader::take_state(Entry& entry) {
  LogState state;
  if (!decode(frame_.payload, state)) return report(entry, "a malformed state");
  bool agrees =
      state.next_note == state_.next_note && state.next_checkpoint == state_.next_checkpoint;
  for (const auto& [lane, next] : state.next) {
    const auto known = state_.next.find(lane);
    agrees = agrees && known != state_.next.end() && known->second == next;
  }
  const bool is_taken = takes_any_state_ || agrees;
  takes_any_state_ = takes_any_lane_ = takes_any_note_ = false;
  awaits_checkpoint_ = identity_.signer.has_value();
  state_ = std::move(state);
  if (files_missed_ != 0) {
    entry.kind = EntryKind::gap;
    entry.record = {};
    entry.record.unix_ms = unix_ms_of(frame_.header);
    entry.files = std::exchange(files_missed_, 0);
    entry.cells = cells_since(std::exchange(next_before_, {}));
    return true;
  }
  if (!is_taken) return report(entry, "a state that is not what the file before ended with");
  return false;
}

// Ring cells of the lanes that the log has now. Those of workers that came and went are not known.
std::uint64_t LogReader::cells_since(const std::map<LaneRef, std::uint64_t>& before) const {
  std::uint64_t cells = 0;
  for (const auto& [lane, next] : state_.next) {
    const auto known = before.find(lane);
    const std::uint64_t from = known == before.end() ? 0 : known->second;
    cells += next - std::min(next, from);
  }
  return cells;
}

bool LogReader::take_beginning(Entry& entry) {
  LogIdentity identity;
  if (!decode(frame_.payload, identity)) return report(entry, "a malformed file identity");
  keys_.clear();
  const bool is_next = is_first_file_ || has_lost_track_ || identity.previous == chain_;
  const bool holds = chain_holds(frame_, identity.previous);
  const bool is_in_place = identity.file_number == file_number_;
  const bool is_another = identity.instance != identity_.instance;
  if (is_another) next_before_.clear();  // another session system's lanes begin at 0
  if (is_first_file_ || is_another) {
    state_ = {};
    takes_any_state_ = true;
  }
  identity_ = std::move(identity);
  chain_ = frame_.header.chain;
  is_first_file_ = false;
  has_lost_track_ = false;
  if (!holds || !is_in_place) return report(entry, "the file's beginning was altered");
  if (!is_next) return report(entry, "the file does not follow the one before it");
  return false;
}

bool LogReader::take_cells(Entry& entry) {
  const FrameHeader& header = frame_.header;
  const LaneRef lane{header.worker, header.lane};
  const auto known = state_.next.find(lane);
  const std::uint64_t unknown = takes_any_lane_ ? header.first : 0;
  const std::uint64_t expected = known == state_.next.end() ? unknown : known->second;
  LogRecord start;
  start.lane = lane;
  start.sequence = header.first;
  start.time_ms = header.time_ms;
  start.unix_ms = unix_ms_of(header);
  if (header.kind == FrameKind::gap) {
    ByteReader in(frame_.payload);
    entry.kind = EntryKind::gap;
    entry.record = start;
    entry.cells = in.varint();
    state_.next[lane] = header.first + entry.cells;
  } else {
    state_.next[lane] = header.first + header.cells;
    payload_.assign(frame_.payload.begin(), frame_.payload.end());
    decoder_->begin(payload_, start, header.records);
    is_decoding_ = true;
  }
  if (expected != header.first) {
    complain(lane_text(lane) + ": records from " + std::to_string(expected) + " to " +
             std::to_string(header.first) + " are missing or come twice");
  }
  return header.kind == FrameKind::gap;
}

bool LogReader::take_keys(Entry& entry) {
  ByteReader in(frame_.payload);
  KeyRef key;
  std::string bytes;
  for (std::uint32_t i = 0; i < frame_.header.records; ++i) {
    if (!decode_key(in, key, bytes)) return report(entry, "malformed keys");
    keys_.try_emplace(key, bytes);
  }
  return false;
}

bool LogReader::take_values(Entry& entry) {
  SealedValues sealed;
  if (!read_values(frame_.payload, sealed)) return report(entry, "malformed values");
  if (!find_value_key_) return false;
  const LaneRef lane{frame_.header.worker, frame_.header.lane};
  // What a torn write left behind has no records: it gives way to what was written next.
  if (lane != values_lane_ || (!values_.empty() && values_.begin()->first < frame_.header.first)) {
    values_.clear();
    values_code_ = {};
  }
  values_lane_ = lane;
  const auto key = find_value_key_(sealed.key);
  if (!key) {
    values_code_ = key.error().code();
    return false;
  }
  auto opened = open_values(frame_.header, sealed, *key);
  if (!opened) {
    values_code_ = Errc::corrupt;
    return report(entry, opened.error().context());
  }
  for (auto& [sequence, value] : *opened) values_.insert_or_assign(sequence, std::move(value));
  return false;
}

void LogReader::give_value(Entry& entry) {
  entry.value.reset();
  entry.value_code = {};
  if (!entry.record.has_value || !find_value_key_) return;
  const auto at = values_.find(entry.record.sequence);
  if (at != values_.end() && entry.record.lane == values_lane_) {
    entry.value = std::move(at->second);
  } else {
    entry.value_code = values_code_ != Errc{} ? values_code_ : Errc::not_found;
  }
}

bool LogReader::take_note(Entry& entry) {
  const std::uint64_t expected = std::exchange(state_.next_note, frame_.header.first + 1);
  const std::uint64_t next_transition = state_.next_transition;
  if (!decode(frame_.payload, entry.note)) return report(entry, "a malformed note");
  state_.apply(entry.note);
  entry.kind = EntryKind::note;
  entry.record.time_ms = frame_.header.time_ms;
  entry.record.unix_ms = unix_ms_of(frame_.header);
  if (is_transition(entry.note.kind)) {
    entry.record.unix_ms = entry.note.unix_ms;
    const bool follows = takes_any_note_ || entry.note.number == next_transition;
    if (!follows)
      complain("transitions are missing before number " + std::to_string(entry.note.number));
  }
  const bool is_next = std::exchange(takes_any_note_, false) || expected == frame_.header.first;
  if (!is_next) complain("notes are missing before note " + std::to_string(frame_.header.first));
  return true;
}

// It must agree with what stands before it; whose signature it has is not looked at.
bool LogReader::take_checkpoint(Entry& entry, const Chain& before) {
  Checkpoint& checkpoint = entry.checkpoint;
  if (!decode(frame_.payload, checkpoint)) return report(entry, "a malformed checkpoint");
  const std::string name = "checkpoint " + std::to_string(checkpoint.number);
  const bool is_next = takes_any_note_ || state_.next_checkpoint == checkpoint.number;
  state_.next_checkpoint = checkpoint.number + 1;
  if (!has_lost_track_ && checkpoint.chain != before) {
    complain(name + ": what stands before it is not what was signed");
  } else if (checkpoint.file_number != file_number_) {
    complain(name + " was signed in another file");
  } else if (!is_next) {
    complain("checkpoints are missing before " + name);
  } else if (!takes_any_lane_ && !is_same(checkpoint.next, state_.next)) {
    complain(name + ": lanes had not got so far as it says");
  }
  entry.kind = EntryKind::checkpoint;
  entry.record.time_ms = frame_.header.time_ms;
  entry.record.unix_ms = checkpoint.unix_ms;
  return gives_checkpoints_;
}

// True: `entry` is filled. False: the frame is at its end.
bool LogReader::take_record(Entry& entry) {
  entry.kind = EntryKind::record;
  LogRecord& record = entry.record;
  if (!decoder_->next(record)) {
    is_decoding_ = false;
    values_.clear();
    values_code_ = {};
    const FrameHeader& header = frame_.header;
    const bool holds =
        !decoder_->failed() && decoder_->next_sequence() == header.first + header.cells;
    return holds ? false : report(entry, "malformed records");
  }
  const KeyRef key{record.block, record.key_id};
  if (record.key_inline) {
    if (record.key_id != 0) keys_.try_emplace(key, record.key);
  } else if (const auto at = keys_.find(key); at != keys_.end()) {
    record.key = at->second;
    record.has_key = true;
  }
  give_value(entry);
  return true;
}

}  // namespace sessionblocks::flowlog
