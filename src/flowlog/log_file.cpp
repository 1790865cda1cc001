#include "flowlog/log_file.hpp"

#include <algorithm>

#include "core/crash_point.hpp"
#include "flowlog/log_adoption.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::flowlog {

namespace {

std::int64_t realtime_offset_ms() noexcept {
  return static_cast<std::int64_t>(platform::realtime_ns() / 1'000'000U) -
         static_cast<std::int64_t>(platform::monotonic_coarse_ms());
}

// The whole time of which a record holds the low half; `now_ms` is at most 24 days away.
std::uint64_t extend_time(std::uint32_t low_ms, std::uint64_t now_ms) noexcept {
  const auto ago = static_cast<std::int32_t>(static_cast<std::uint32_t>(now_ms) - low_ms);
  return now_ms - static_cast<std::uint64_t>(std::int64_t{ago});
}

}  // namespace

LogFile::LogFile(LogConfig config, LogIdentity identity)
    : config_(std::move(config)), identity_(std::move(identity)), keys_(config_.key_memory_bytes) {}

std::string LogFile::path_of(std::uint64_t number) const {
  return config_.folder + "/" + log_file_name(number);
}

Result<LogFile> LogFile::open(LogConfig config) {
  return LogAdoption::open(std::move(config));
}

void LogFile::put_frame(FrameHeader header) {
  if (header.realtime_offset_ms == 0) header.realtime_offset_ms = realtime_offset_ms();
  if (header.time_ms == 0) header.time_ms = platform::monotonic_coarse_ms();
  has_unsigned_ = header.kind != FrameKind::checkpoint;
  const std::size_t place = begin_frame(staged_);
  staged_.put_bytes(payload_.bytes());
  end_frame(staged_, place, header, chain_);
}

// Begins the file that identity_ names; its first frames stay staged until the next commit.
Result<void> LogFile::begin_file() {
  // CRASH(flowlog.file_made): an empty file; adoption removes it and goes on with the one before.
  auto file = platform::DiskFile::create(path_of(identity_.file_number));
  if (!file) return tl::unexpected(std::move(file).error());
  SESSIONBLOCKS_CRASH("flowlog.file_made");
  file_ = std::move(*file);
  file_bytes_ = 0;
  has_content_ = false;
  file_begun_ms_ = platform::monotonic_coarse_ms();
  put_beginning();
  return {};
}

void LogFile::put_beginning() {
  chain_ = identity_.previous;
  ++key_stamp_;
  payload_.clear();
  encode(payload_, identity_);
  put_frame({.kind = FrameKind::file_begin, .first = identity_.file_number});
  payload_.clear();
  encode(payload_, state_);
  put_frame({.kind = FrameKind::state});
  if (key_) put_checkpoint();
}

// States that the lane's cells from where the log stands to `end` are missing.
void LogFile::put_gap(LaneRef lane, std::uint64_t end) {
  std::uint64_t& next = state_.next[lane];
  payload_.clear();
  payload_.put_varint(end - next);
  put_frame({.kind = FrameKind::gap, .lane = lane.lane, .worker = lane.worker, .first = next});
  next = end;
}

void LogFile::add_records(const RecordBatch& batch, const OpenTable& opens) {
  std::uint64_t& next = state_.next[batch.lane];
  const std::uint64_t end = batch.first + batch.cells.size();
  if (end <= next) return;
  stages_content_ = true;
  staged_lanes_.emplace_back(batch.lane, next);
  FrameHeader header{.lane = batch.lane.lane, .worker = batch.lane.worker};
  if (batch.first > next) put_gap(batch.lane, batch.first);
  // A log ends between records, so what it has already ends between records here.
  std::size_t at = static_cast<std::size_t>(next - batch.first);
  header.kind = FrameKind::records;
  header.first = next;
  header.cells = static_cast<std::uint32_t>(end - next);
  header.time_ms = extend_time(batch.cells[at].time_ms, batch.now_ms);
  payload_.clear();
  mentioned_.clear();
  looked_for_keys_ = false;
  std::map<BlockRef, ValueRows> values;
  encoder_.begin(payload_, batch.cells[at].time_ms, *this);
  std::uint16_t open = batch.cells[at].open;
  BlockRef block = opens(open);
  while (at < batch.cells.size()) {
    const RingCell& record = batch.cells[at++];
    std::span<const std::byte> key;
    const std::uint64_t first = at - 1;
    if ((record.flags & layout::kInlineKey) != 0) {
      key = std::as_bytes(batch.cells.subspan(at)).first(record.value_bytes);
      at += key_cells(record.value_bytes);
    }
    if (record.open != open) block = opens(open = record.open);
    const std::string_view bytes(reinterpret_cast<const char*>(key.data()), key.size());
    const auto masked = key.empty() ? std::nullopt : keys_.masks()->mask(block, bytes);
    if (masked) key = std::as_bytes(std::span(*masked));
    std::uint64_t logged_bytes = 0;
    if ((record.flags & layout::kInlineValue) != 0) {
      const layout::ValueDetail detail = value_detail(batch.cells[at]);
      logged_bytes = detail.logged_bytes;
      const auto value = std::as_bytes(batch.cells.subspan(at + 1)).first(logged_bytes);
      values[block].add(batch.first + first - header.first, detail, value);
      at += value_cells(logged_bytes);
    }
    encoder_.add(record, block, key, logged_bytes);
  }
  encoder_.end();
  header.records = encoder_.records();
  put_missing_keys();
  if (!values.empty()) put_values(header, values);
  put_frame(header);
  next = end;
}

void LogFile::put_values(FrameHeader header, const std::map<BlockRef, ValueRows>& values) {
  if (!config_.value_keys) return;
  header.kind = FrameKind::values;
  header.cells = 0;
  ByteBuffer payload;
  std::swap(payload, payload_);
  for (const auto& [block, rows] : values) {
    payload_.clear();
    header.records = rows.count();
    Result<void> sealed;
    const bool has_key = config_.value_keys->use(block.block(), [&](const snapshot::Key& key) {
      sealed = seal_values(payload_, header, block, key, rows);
    });
    if (has_key && sealed) put_frame(header);
  }
  std::swap(payload, payload_);
}

void LogFile::key_named(KeyRef key) {
  mentioned_.push_back({key, false});
}

void LogFile::key_defined(KeyRef key, std::span<const std::byte> bytes) {
  (void)keys_.define(key, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  mentioned_.push_back({key, true});
}

KeyBook::Entry* LogFile::look_up(KeyRef key) {
  KeyBook::Entry* entry = keys_.find(key);
  if (entry == nullptr && !looked_for_keys_ && learn_keys_) {
    looked_for_keys_ = true;
    learn_keys_(keys_);
    entry = keys_.find(key);
  }
  if (entry == nullptr && oldest_loaded_ > 1) {
    load_older_keys();
    entry = keys_.find(key);
  }
  if (entry == nullptr) ++unknown_keys_;
  return entry;
}

// Stages the definitions that this file lacks, before the frame that names them: that of a key
// whose own definition comes later in the frame too.
void LogFile::put_missing_keys() {
  ByteBuffer rows;
  std::uint32_t count = 0;
  for (const auto& [key, is_definition] : mentioned_) {
    KeyBook::Entry* const entry = is_definition ? keys_.find(key) : look_up(key);
    if (entry == nullptr || entry->written_in == key_stamp_) continue;
    entry->written_in = key_stamp_;
    if (is_definition) continue;
    encode_key(rows, key, entry->bytes);
    ++count;
  }
  if (count == 0) return;
  std::swap(rows, payload_);
  put_frame({.kind = FrameKind::keys, .records = count});
  std::swap(rows, payload_);
}

// After a restart the book knows only the last file's keys; older files are read when a key is
// missed, each once, so a worker that makes up ids costs one reading of the log.
void LogFile::load_older_keys() {
  auto numbers = log_files(config_.folder);
  const std::uint64_t before = std::exchange(oldest_loaded_, 0);
  if (!numbers) return;
  for (const std::uint64_t number : *numbers) {
    if (number < before) LogAdoption::load_keys(path_of(number), config_.instance, keys_);
  }
}

void LogFile::add_note(const Note& note) {
  stages_content_ = true;
  stage_note(note);
}

void LogFile::stage_note(const Note& note) {
  put_note(note);
  staged_notes_.push_back(note);
}

void LogFile::put_note(const Note& note) {
  payload_.clear();
  encode(payload_, note);
  put_frame({.kind = FrameKind::note, .worker = note.worker, .first = state_.next_note++});
  state_.apply(note);
}

Result<void> LogFile::commit() {
  if (key_ && !is_published_) publish_key();
  if (must_cut_) {
    if (auto cut = file_.truncate(file_bytes_); !cut) return cut;
    must_cut_ = false;
  }
  while (staged_written_ < staged_.size()) {
    SESSIONBLOCKS_CRASH("flowlog.before_write");
    // CRASH(flowlog.written): records are in the file, their ring cells not yet given back;
    // adoption takes each lane's place from the file and passes over them.
    auto done = file_.write_some(staged_.bytes().subspan(staged_written_));
    SESSIONBLOCKS_CRASH("flowlog.written");
    if (!done) return tl::unexpected(std::move(done).error());
    staged_written_ += *done;
  }
  file_bytes_ += staged_.size();
  written_bytes_ += staged_.size();
  staged_.clear();
  staged_written_ = 0;
  staged_lanes_.clear();
  staged_notes_.clear();
  staged_checkpoints_ = 0;
  has_content_ = has_content_ || std::exchange(stages_content_, false);
  committed_chain_ = chain_;
  committed_transition_ = state_.next_transition;
  return {};
}

void LogFile::drop() {
  must_cut_ = must_cut_ || staged_written_ != 0;
  staged_.clear();
  staged_written_ = 0;
  std::map<LaneRef, std::uint64_t> ends;
  for (const auto& lane : staged_lanes_) ends[lane.first] = state_.next[lane.first];
  for (auto at = staged_lanes_.rbegin(); at != staged_lanes_.rend(); ++at) {
    state_.next[at->first] = at->second;
  }
  staged_lanes_.clear();
  state_.next_note -= staged_notes_.size();
  state_.next_checkpoint -= std::exchange(staged_checkpoints_, 0);
  has_unsigned_ = true;  // perhaps: a checkpoint more does no harm
  chain_ = committed_chain_;
  ++key_stamp_;  // what was staged defined keys that are defined no longer
  if (file_bytes_ == 0) put_beginning();
  for (const Note& note : staged_notes_) put_note(note);
  for (const auto& [lane, end] : ends) {
    staged_lanes_.emplace_back(lane, state_.next[lane]);
    put_gap(lane, end);
  }
}

void LogFile::rotate_if_due(std::uint64_t now_ms) {
  if (staged_.size() != 0) return;  // it follows the open file's chain, and no other's
  // Without it a file that is full when it has begun would be followed by another for ever.
  if (!has_content_) return;
  const bool is_old = now_ms >= file_begun_ms_ && now_ms - file_begun_ms_ >= config_.rotate_ms;
  if (file_bytes_ < config_.rotate_bytes && !is_old) return;
  const LogIdentity old_identity = identity_;
  platform::DiskFile old_file = std::move(file_);
  const std::uint64_t old_bytes = file_bytes_;
  (void)old_file.sync();  // a refusal shows at the next write to this disk
  identity_.file_number += 1;
  identity_.previous = chain_;
  state_.forget_removed();
  if (begin_file()) {
    // CRASH(flowlog.rotated): as flowlog.file_made, behind a file that is complete.
    SESSIONBLOCKS_CRASH("flowlog.rotated");
    return keep_budget();
  }
  identity_ = old_identity;
  file_ = std::move(old_file);
  file_bytes_ = old_bytes;
  file_begun_ms_ = now_ms;  // and not at every call
}

std::optional<std::uint64_t> LogFile::due_in_ms(std::uint64_t now_ms) const noexcept {
  std::optional<std::uint64_t> due;
  const auto add = [&](std::uint64_t since_ms, std::uint64_t period_ms) {
    const std::uint64_t passed = now_ms - std::min(now_ms, since_ms);
    const std::uint64_t left = period_ms - std::min(period_ms, passed);
    due = std::min(due.value_or(left), left);
  };
  if (has_content_) add(file_begun_ms_, config_.rotate_ms);
  if (key_ && has_unsigned_) add(signed_ms_, config_.checkpoint_ms);
  return due;
}

}  // namespace sessionblocks::flowlog
