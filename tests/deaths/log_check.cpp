#include "log_check.hpp"

#include "operations.hpp"

namespace sessionblocks::deaths {

std::optional<std::uint32_t> LogCheck::life_of(std::uint32_t worker) const {
  for (std::uint32_t i = board_.lives_used.load(); i-- > 0;) {
    if (board_.lives[i].worker.load() == worker) return i;
  }
  return std::nullopt;
}

std::string LogCheck::read() {
  if (!reader_) {
    auto reader = flowlog::LogReader::open(folder_);
    if (!reader) return "the log cannot be read: " + reader.error().message();
    reader_.emplace(std::move(*reader));
  }
  flowlog::Entry entry;
  while (true) {
    const auto more = reader_->next(entry);
    if (!more) return "the log cannot be read: " + more.error().message();
    if (!*more) return {};
    const std::string place =
        " (" + reader_->place().file + " byte " + std::to_string(reader_->place().offset) + ")";
    if (entry.kind == flowlog::EntryKind::problem)
      return "the log is damaged: " + entry.problem + place;
    if (entry.kind == flowlog::EntryKind::gap) {
      return "the log has a gap of " + std::to_string(entry.cells) + " cells of worker " +
             std::to_string(entry.record.lane.worker) + place;
    }
    if (entry.kind == flowlog::EntryKind::note &&
        entry.note.kind == flowlog::NoteKind::lane_forged) {
      return "worker " + std::to_string(entry.note.worker) +
             " is held for forged: " + entry.note.text;
    }
    if (entry.kind == flowlog::EntryKind::note) take(entry.note);
    if (entry.kind != flowlog::EntryKind::record) continue;
    if (auto wrong = take(entry.record); !wrong.empty()) return wrong + place;
  }
}

void LogCheck::take(const flowlog::Note& note) {
  if (!flowlog::is_transition(note.kind) || note.block.word == 0) return;
  KnownBlock& block = blocks_[raw(note.block.block())];
  const bool is_state = note.what == "sealed" || note.what == "quarantined" || note.what == "wiped";
  const bool is_active = note.what == "unsealed" || note.what == "released";
  const bool is_end = note.what == "destroyed";
  if (note.kind == flowlog::NoteKind::interrupted) {
    block.is_interrupted = block.is_interrupted || is_state || is_active || is_end;
    return;
  }
  if (note.what == "created" || note.what == "adopted") block.is_there = true;
  if (is_end) block.is_there = false;
  if (is_state) block.state = note.what;
  if (is_active) block.state = "active";
  if (is_state || is_active || is_end) block.is_interrupted = false;
}

std::string LogCheck::take(const flowlog::LogRecord& record) {
  if (record.op == Op::define_key || record.op == Op::drop) return {};
  const auto life = life_of(record.lane.worker);
  if (!life) return {};  // the test's own worker
  const bool reads_only = board_.lives[*life].reads_only.load() != 0;
  for (unsigned i = 0; i < record.count; ++i) {
    const std::uint64_t n = logged_[record.lane.worker]++;
    ++operations_;
    const Operation expected = operation(*life, n, reads_only);
    const bool is_right = record.op == expected.op && record.has_key &&
                          record.key == expected.key && (record.outcome == 0 || reads_only);
    if (!is_right) {
      return "worker " + std::to_string(record.lane.worker) + ": operation " + std::to_string(n) +
             " is " + std::string(word(expected.op)) + " " + expected.key + ", its record says " +
             std::string(word(record.op)) + " \"" + record.key + "\" cell " +
             std::to_string(record.sequence) + " outcome " + std::to_string(record.outcome);
    }
    if (expected.op == Op::increment && expected.key == kTotal) ++total_;
  }
  return {};
}

std::string LogCheck::compare() {
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(board_.lives_used.load(), kMostLives);
       ++i) {
    const Life& life = board_.lives[i];
    const std::uint32_t worker = life.worker.load();
    if (worker == 0) continue;
    const std::uint64_t logged = logged_[worker];
    if (logged < life.answered.load() || logged > life.started.load()) {
      return "worker " + std::to_string(worker) + " was told of " +
             std::to_string(life.answered.load()) + " operations, began " +
             std::to_string(life.started.load()) + ", and the log has " + std::to_string(logged);
    }
  }
  return {};
}

}  // namespace sessionblocks::deaths
