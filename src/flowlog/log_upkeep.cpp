// What a log's writer does besides writing: checkpoints, and the disk budget.
#include <algorithm>
#include <filesystem>

#include "core/crash_point.hpp"
#include "core/units.hpp"
#include "flowlog/file_scanner.hpp"
#include "flowlog/log_file.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::flowlog {

void LogFile::put_checkpoint() {
  Checkpoint checkpoint;
  checkpoint.number = state_.next_checkpoint++;
  checkpoint.file_number = identity_.file_number;
  checkpoint.unix_ms = static_cast<std::int64_t>(platform::realtime_ns() / 1'000'000U);
  checkpoint.chain = chain_;
  checkpoint.next_note = state_.next_note;
  checkpoint.next = state_.next;
  payload_.clear();
  encode(payload_, checkpoint, *key_);
  put_frame({.kind = FrameKind::checkpoint, .first = checkpoint.number});
  ++staged_checkpoints_;
  signed_ms_ = platform::monotonic_coarse_ms();
}

void LogFile::checkpoint() {
  if (key_ && has_unsigned_) put_checkpoint();
}

void LogFile::checkpoint_if_due(std::uint64_t now_ms) {
  if (now_ms >= signed_ms_ && now_ms - signed_ms_ >= config_.checkpoint_ms) checkpoint();
}

// Without its public half beside the log nobody could check what the key signs.
void LogFile::publish_key() {
  const std::string path = config_.folder + "/" + kPublicKeyFile;
  // CRASH(flowlog.before_publish): a key whose public half is nowhere; the next start adds it.
  SESSIONBLOCKS_CRASH("flowlog.before_publish");
  const auto published = publish(path, key_->public_key());
  if (published) {
    is_published_ = true;
    if (!*published) return;
    findings_.push_back({LogEvent::Kind::key_changed,
                         {},
                         "the key of before is not there: checkpoints are signed with a new one "
                         "from now on, the last line of " +
                             path + "; copies of that file need it too"});
  } else if (!std::exchange(has_complained_, true)) {
    findings_.push_back({LogEvent::Kind::not_signed,
                         {},
                         "its public key cannot be written to " + path + ": " +
                             published.error().context() + "; tried again with each write"});
  }
}

void LogFile::note_removed(std::uint64_t first, std::uint64_t last, std::uint64_t bytes) {
  Note note;
  note.kind = NoteKind::files_removed;
  note.number = first;
  note.second = last;
  note.text = log_file_name(first) + " to " + log_file_name(last) + ", " + std::to_string(bytes) +
              " bytes, removed to keep the budget of " + units::format_size(config_.budget_bytes);
  stage_note(note);  // not content: else a file that is full when it has begun brings the next one
}

// The oldest go first, and none before it has gone: what is left has no hole.
void LogFile::keep_budget() {
  const auto numbers = log_files(config_.folder);
  if (!numbers) return;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> closed;  // number, bytes
  std::uint64_t total = std::max(config_.rotate_bytes, file_bytes_);
  for (const std::uint64_t number : *numbers) {
    if (number == identity_.file_number) continue;
    std::error_code is_gone;
    const std::uint64_t bytes = std::filesystem::file_size(path_of(number), is_gone);
    closed.emplace_back(number, is_gone ? 0 : bytes);
    total += closed.back().second;
  }
  std::uint64_t freed = 0;
  std::size_t count = 0;
  while (count < closed.size() && total - freed > config_.budget_bytes) {
    const auto& [number, bytes] = closed[count];
    if (auto removed = platform::remove_file(path_of(number)); !removed) {
      findings_.push_back({LogEvent::Kind::file_kept,
                           {},
                           "the disk budget of " + units::format_size(config_.budget_bytes) +
                               " is passed: " + removed.error().context() +
                               "; tried again when the next file begins"});
      break;
    }
    // CRASH(flowlog.removed): more files than the budget says, and no note of those that went; the
    // next start removes the rest, and verify says that the log does not tell of them.
    SESSIONBLOCKS_CRASH("flowlog.removed");
    freed += bytes;
    ++count;
  }
  if (count == 0) return;
  removed_files_ += count;
  note_removed(closed.front().first, closed[count - 1].first, freed);
}

}  // namespace sessionblocks::flowlog
