#include "flowlog/log_adoption.hpp"

#include <algorithm>

#include "core/crash_point.hpp"
#include "core/units.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::flowlog {

namespace {

void learn(KeyBook& keys, KeyRef key, std::string_view bytes) {
  // Not said to be in the open file: naming it twice costs a few bytes, not at all a reader.
  if (key.id != 0) (void)keys.define(key, bytes);
}

// The keys that a records or keys frame defines.
void learn_from(const Frame& frame, KeyBook& keys) {
  if (frame.header.kind == FrameKind::keys) {
    ByteReader in(frame.payload);
    KeyRef key;
    std::string bytes;
    for (std::uint32_t i = 0; i < frame.header.records && decode_key(in, key, bytes); ++i) {
      learn(keys, key, bytes);
    }
    return;
  }
  static thread_local RecordDecoder decoder;
  decoder.begin(frame.payload, {}, frame.header.records);
  for (LogRecord record; decoder.next(record); decoder.skip_repeats()) {
    if (record.key_inline) learn(keys, {record.block, record.key_id}, record.key);
  }
}

}  // namespace

void LogAdoption::take(const Frame& frame, Found& found, KeyBook& keys) {
  const FrameHeader& header = frame.header;
  const LaneRef lane{header.worker, header.lane};
  Note note;
  LogState state;
  const bool is_content = header.kind == FrameKind::records || header.kind == FrameKind::gap ||
                          header.kind == FrameKind::note;
  found.has_content = found.has_content || is_content;
  found.ends_signed = header.kind == FrameKind::checkpoint;
  switch (header.kind) {
    case FrameKind::file_begin:
      found.begun_ms = header.time_ms;
      found.has_identity = decode(frame.payload, found.identity);
      break;
    case FrameKind::state:
      found.has_state = decode(frame.payload, state);
      if (found.has_state) found.state = std::move(state);
      break;
    case FrameKind::records:
    case FrameKind::keys:
      learn_from(frame, keys);
      if (header.kind == FrameKind::records) found.state.next[lane] = header.first + header.cells;
      break;
    case FrameKind::gap: {
      ByteReader in(frame.payload);
      found.state.next[lane] = header.first + in.varint();
      break;
    }
    case FrameKind::note:
      if (!decode(frame.payload, note)) break;
      found.state.apply(note);
      found.state.next_note = header.first + 1;
      break;
    case FrameKind::values:
      break;  // without the records that it belongs to it counts for nothing
    case FrameKind::checkpoint:
      found.has_checkpoint = true;
      found.state.next_checkpoint = header.first + 1;
      break;
  }
}

Result<LogAdoption::Found> LogAdoption::scan(const std::string& path, KeyBook& keys) {
  auto file = platform::DiskFile::open_read(path);
  if (!file) return tl::unexpected(std::move(file).error());
  FileScanner scanner(std::move(*file));
  Found found;
  Frame frame;
  bool is_whole = true;  // all that came so far
  while (true) {
    auto step = scanner.next(frame);
    if (!step) return tl::unexpected(std::move(step).error());
    if (*step == Step::frame) {
      take(frame, found, keys);
      // Not the computed chain: after an altered frame the stated one is what later frames follow.
      found.chain = frame.header.chain;
      if (is_whole) found.good_bytes = scanner.next_at();
      continue;
    }
    if (*step == Step::end) break;
    auto goes_on = scanner.resync();
    if (!goes_on) return tl::unexpected(std::move(goes_on).error());
    if (is_whole) found.altered_at = scanner.frame_at();
    const bool is_cut = is_whole && !*goes_on && *step == Step::torn;
    is_whole = false;
    found.tail = is_cut ? Tail::torn : Tail::altered;
    if (!*goes_on) break;
  }
  if (is_whole) found.tail = found.good_bytes == 0 ? Tail::empty : Tail::clean;
  return found;
}

// The last file with something whole in it; files behind it that a crash left empty are removed.
Result<std::optional<LogAdoption::Found>> LogAdoption::find_last(LogFile& log) {
  auto numbers = log_files(log.config_.folder);
  if (!numbers) return tl::unexpected(std::move(numbers).error());
  for (auto at = numbers->rbegin(); at != numbers->rend(); ++at) {
    const std::string path = log.path_of(*at);
    auto found = scan(path, log.keys_);
    if (!found) return tl::unexpected(std::move(found).error());
    // Its beginning is one write: without all of it a file says nothing yet, the one before is the
    // last.
    const bool never_began = found->tail != Tail::altered && !found->has_begun();
    if (never_began) {
      if (auto removed = platform::remove_file(path); !removed) {
        return tl::unexpected(std::move(removed).error());
      }
      continue;
    }
    found->identity.file_number = *at;
    return std::optional<Found>(std::move(*found));
  }
  return std::optional<Found>();
}

Result<void> LogAdoption::start_next(LogFile& log, const Found& found) {
  log.identity_.file_number = found.identity.file_number + 1;
  log.identity_.previous = found.chain;
  return log.begin_file();
}

Result<void> LogAdoption::go_on(LogFile& log, Found found) {
  const bool is_ours = found.has_identity && found.identity.instance == log.config_.instance;
  const bool is_same_signer = found.identity.signer == log.identity_.signer;
  const std::uint64_t next_checkpoint = found.state.next_checkpoint;
  const std::uint64_t next_transition = found.state.next_transition;
  if (is_ours) {
    log.state_ = std::move(found.state);
    log.oldest_loaded_ = found.identity.file_number;
  } else {
    log.keys_.clear();
  }
  log.state_.next_checkpoint = next_checkpoint;  // goes on over session systems
  log.state_.next_transition = next_transition;
  if (found.tail == Tail::altered) {
    auto started = start_next(log, found);
    if (!started) return started;
    Note note;
    note.kind = NoteKind::damage;
    note.number = found.altered_at;
    note.text = log_file_name(found.identity.file_number) + " was altered behind byte " +
                std::to_string(found.altered_at);
    log.add_note(note);
    log.findings_.push_back({LogEvent::Kind::file_altered, {}, note.text});
    return {};
  }
  const std::string path = log.path_of(found.identity.file_number);
  auto file = platform::DiskFile::open_append(path);
  if (!file) return tl::unexpected(std::move(file).error());
  if (found.tail == Tail::torn) {
    const std::uint64_t torn = file->size_bytes().value_or(0) - found.good_bytes;
    log.findings_.push_back({LogEvent::Kind::tail_cut,
                             {},
                             std::to_string(torn) + " bytes of an unfinished write, behind byte " +
                                 std::to_string(found.good_bytes) + " of " + path});
    if (auto cut = file->truncate(found.good_bytes); !cut) return cut;
    // CRASH(flowlog.cut): a log that ends with a whole frame; the next adoption goes on there.
    SESSIONBLOCKS_CRASH("flowlog.cut");
  }
  if (!is_ours || !is_same_signer) return start_next(log, found);
  log.identity_ = found.identity;
  log.file_ = std::move(*file);
  log.file_bytes_ = found.good_bytes;
  log.file_begun_ms_ = std::min(found.begun_ms, platform::monotonic_coarse_ms());
  log.has_content_ = found.has_content;
  log.has_unsigned_ = !found.ends_signed;
  log.signed_ms_ = platform::monotonic_coarse_ms();
  log.chain_ = log.committed_chain_ = found.chain;
  return {};
}

// The folder and the key. A full disk is no reason to do without a log: it is then not signed.
Result<LogFile> LogAdoption::prepare(LogConfig config) {
  if (config.budget_bytes < config.rotate_bytes) {
    return fail(Errc::invalid_argument, "log budget " + units::format_size(config.budget_bytes) +
                                            ": less than one file, which is rotated at " +
                                            units::format_size(config.rotate_bytes) +
                                            "; give a larger budget or smaller files");
  }
  if (auto made = platform::make_folder(config.folder); !made) {
    return tl::unexpected(std::move(made).error());
  }
  LogIdentity identity;
  identity.instance = config.instance;
  identity.system = config.system;
  LogFile log(std::move(config), std::move(identity));
  if (log.config_.key_file.empty()) return log;
  const auto key = SigningKey::open(log.config_.key_file);
  if (key) {
    log.key_ = *key;
    log.identity_.signer = key->public_key();
    return log;
  }
  if (!(key.error() == Errc::out_of_memory)) return tl::unexpected(key.error());
  log.findings_.push_back({LogEvent::Kind::not_signed,
                           {},
                           "no key can be made: " + key.error().context() +
                               "; the log is not signed before the next start"});
  return log;
}

Result<LogFile> LogAdoption::open(LogConfig config) {
  auto prepared = prepare(std::move(config));
  if (!prepared) return prepared;
  LogFile& log = *prepared;
  auto found = find_last(log);
  if (!found) return tl::unexpected(std::move(found).error());
  auto ready = found->has_value() ? go_on(log, std::move(**found)) : start_next(log, Found{});
  // A full disk is no reason to do without a director: what is staged is tried again.
  if (ready) ready = log.commit();
  if (!ready && !(ready.error() == Errc::out_of_memory && log.file_))
    return tl::unexpected(std::move(ready).error());
  return prepared;
}

void LogAdoption::load_keys(const std::string& path, const Instance& instance, KeyBook& keys) {
  auto file = platform::DiskFile::open_read(path);
  if (!file) return;
  FileScanner scanner(std::move(*file));
  Frame frame;
  LogIdentity identity;
  auto step = scanner.next(frame);
  const bool is_begin = step && *step == Step::frame && frame.header.kind == FrameKind::file_begin;
  if (!is_begin || !decode(frame.payload, identity) || identity.instance != instance) return;
  while ((step = scanner.next(frame)) && *step == Step::frame) {
    const FrameKind kind = frame.header.kind;
    if (kind == FrameKind::records || kind == FrameKind::keys) learn_from(frame, keys);
  }
}

}  // namespace sessionblocks::flowlog
