#include "flowlog/log_writer.hpp"

#include <algorithm>
#include <chrono>
#include <new>

#include "platform/clock.hpp"
#include "platform/thread_name.hpp"

namespace sessionblocks::flowlog {

namespace {
constexpr std::size_t kStageBytes = 1U << 20U;  // enough to make the cost of a write() small
// Cells are given back when they are written: with more of them in a write, rings that fill fast
// would stand still between two.
constexpr std::size_t kStageBatches = 8;
constexpr auto kRetry = std::chrono::milliseconds(100);
constexpr std::uint64_t kLongestNapMs = 3'600'000;
}  // namespace

LogWriter::LogWriter(LogFile file, OnFullDisk on_full_disk, LogEvents events)
    : file_(std::move(file)),
      on_full_disk_(on_full_disk),
      events_(std::move(events)),
      filled_(kBatches),
      empty_(kBatches) {
  for (std::size_t i = 0; i < kBatches; ++i) {
    batches_.push_back(std::make_unique<Batch>());
    batches_.back()->cells.resize(kBatchCells);
    (void)empty_.push(batches_.back().get());  // it has room for all of them
  }
  next_transition_.store(file_.next_transition(), std::memory_order_release);
}

LogWriter::~LogWriter() {
  stop();
}

void LogWriter::start(LogFile::LearnKeys learn_ahead) {
  file_.on_unknown_key(std::move(learn_ahead));
  report_findings();
  woken_ = true;  // what is staged when the disk was full, what the budget has no room for
  thread_ = std::thread([this] { run(); });
}

void LogWriter::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  progress_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Batch* LogWriter::empty_batch() {
  Batch* batch = nullptr;
  return empty_.pop(batch) ? batch : nullptr;
}

void LogWriter::hand_over(Batch* batch) {
  (void)filled_.push(batch);  // it has room for all batches that exist
}

void LogWriter::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  work_.notify_one();
}

void LogWriter::add_note(Note note) {
  if (note.kind == NoteKind::undrained) {
    lost_cells_.fetch_add(note.number, std::memory_order_relaxed);
  }
  {
    const std::lock_guard lock(mutex_);
    notes_.push_back(std::move(note));
    ++notes_added_;
    woken_ = true;
  }
  work_.notify_one();
}

void LogWriter::await_notes() {
  std::unique_lock lock(mutex_);
  const std::uint64_t added = notes_added_;
  progress_.wait(lock, [&] {
    return written_notes_.load(std::memory_order_acquire) >= added || is_refused() || stopping_;
  });
}

void LogWriter::announce_progress() {
  { const std::lock_guard lock(mutex_); }  // a waiter is before its look or already waits
  progress_.notify_all();
}

LogTotals LogWriter::totals() const noexcept {
  return {cells_.load(std::memory_order_relaxed), lost_cells_.load(std::memory_order_relaxed),
          bytes_.load(std::memory_order_relaxed), unknown_keys_.load(std::memory_order_relaxed),
          removed_files_.load(std::memory_order_relaxed)};
}

// Batches before notes: a note that says a worker has gone stands behind that worker's records,
// which were handed over before it was added. Returns whether anything is staged.
bool LogWriter::stage() {
  std::deque<Note> notes;
  {
    const std::lock_guard lock(mutex_);
    notes.swap(notes_);
  }
  staged_notes_ += notes.size();
  const auto is_naming = [](const Note& note) {
    return note.kind == NoteKind::worker_added || note.kind == NoteKind::opened;
  };
  for (const Note& note : notes) {
    if (is_naming(note)) file_.add_note(note);
  }
  Batch* batch = nullptr;
  // Bounded by the batches that exist; with notes all of them, otherwise what fills one write.
  const auto has_room = [&] {
    return file_.staged_bytes() < kStageBytes && staged_.size() < kStageBatches;
  };
  while ((!notes.empty() || has_room()) && filled_.pop(batch)) {
    staged_.push_back(batch);
    const auto& opens = batch->lane->opens();
    file_.add_records({batch->lane->ref(), batch->first, batch->now_ms,
                       std::span(batch->cells).first(batch->count)},
                      [&opens](std::uint16_t open) { return opens.get(open); });
  }
  for (const Note& note : notes) {
    if (!is_naming(note)) file_.add_note(note);
  }
  unknown_keys_.store(file_.unknown_keys(), std::memory_order_relaxed);
  file_.checkpoint_if_due(platform::monotonic_coarse_ms());
  return !staged_.empty() || file_.staged_bytes() != 0;
}

void LogWriter::give_back() {
  for (Batch* batch : staged_) {
    batch->lane->release(batch->first + batch->count);
    batch->lane.reset();
    if (batch->cells.size() != kBatchCells) {  // it was made larger, for one long record
      batch->cells.resize(kBatchCells);
      batch->cells.shrink_to_fit();
    }
    (void)empty_.push(batch);
  }
  staged_.clear();
  announce_progress();
}

void LogWriter::report(LogEvent::Kind kind, std::string text) const {
  if (events_) events_({kind, {}, std::move(text)});
}

void LogWriter::report_findings() {
  for (const LogEvent& finding : file_.take_findings()) {
    if (events_) events_(finding);
  }
  removed_files_.store(file_.removed_files(), std::memory_order_relaxed);
}

void LogWriter::set_refused(const Error& error) {
  if (refused_.exchange(true, std::memory_order_acq_rel)) return;
  announce_progress();
  refusal_ = error.context();
  report(LogEvent::Kind::disk_refuses,
         file_.folder() + ": " + refusal_ +
             (on_full_disk_ == OnFullDisk::wait
                  ? "; records wait in the workers' rings, and once these are full each block's "
                    "on_full_ring decides; make room on that disk"
                  : "; records are counted, not kept, until there is room on that disk"));
}

void LogWriter::set_accepted() {
  if (!refused_.exchange(false, std::memory_order_acq_rel)) return;
  announce_progress();
  const std::uint64_t lost = lost_cells_.load(std::memory_order_relaxed);
  report(LogEvent::Kind::disk_accepts,
         file_.folder() + " takes records again; it had refused: " + refusal_ +
             (lost == 0 ? "; nothing was lost" : "; " + std::to_string(lost) + " were not kept"));
}

void LogWriter::commit_staged() {
  while (true) {
    auto done = file_.commit();
    std::uint64_t cells = 0;
    for (const Batch* batch : staged_) cells += batch->count;
    if (done) {
      bytes_.store(file_.written_bytes(), std::memory_order_relaxed);
      next_transition_.store(file_.next_transition(), std::memory_order_release);
      cells_.fetch_add(cells, std::memory_order_relaxed);
      written_notes_.fetch_add(std::exchange(staged_notes_, 0), std::memory_order_release);
      set_accepted();
      return give_back();
    }
    set_refused(done.error());
    std::unique_lock lock(mutex_);
    if (on_full_disk_ == OnFullDisk::count || stopping_) {
      lock.unlock();
      file_.drop();
      lost_cells_.fetch_add(cells, std::memory_order_relaxed);
      return give_back();
    }
    work_.wait_for(lock, kRetry, [this] { return stopping_; });
  }
}

void LogWriter::report_lost() {
  std::uint64_t lost = lost_cells_.load(std::memory_order_relaxed);
  for (Batch* batch = nullptr; filled_.pop(batch);) lost += batch->count;
  lost_cells_.store(lost, std::memory_order_relaxed);
  report(LogEvent::Kind::disk_lost, file_.folder() + ": it still refuses at the end (" + refusal_ +
                                        "); the log lacks what came since, " +
                                        std::to_string(lost) + " records and all notes");
}

void LogWriter::wait_for_work() {
  std::unique_lock lock(mutex_);
  const auto has_work = [this] { return woken_ || stopping_; };
  // Refused: what is staged (notes, gaps) is tried again though nobody brings more.
  const auto due = file_.due_in_ms(platform::monotonic_coarse_ms());
  if (is_refused()) {
    work_.wait_for(lock, kRetry, has_work);
  } else if (due) {
    const std::uint64_t nap_ms = std::clamp<std::uint64_t>(*due, 1, kLongestNapMs);
    work_.wait_for(lock, std::chrono::milliseconds(nap_ms), has_work);
  } else {
    work_.wait(lock, has_work);
  }
  woken_ = false;
}

// A log that ends with a checkpoint was ended by its director.
void LogWriter::sign_end() {
  file_.checkpoint();
  if (auto done = file_.commit(); !done) {
    report(LogEvent::Kind::not_signed, file_.folder() +
                                           ": no checkpoint at the end: " + done.error().context() +
                                           "; what came since the last one is chained only");
  }
}

void LogWriter::run() {
  platform::name_this_thread("log write");
  file_.keep_budget();
  while (true) {
    wait_for_work();
    file_.rotate_if_due(platform::monotonic_coarse_ms());
    while (stage()) {
      commit_staged();
      // With `count`, notes and gaps stay staged while the disk refuses: they belong into the file
      // that they were staged for, and there is no reason to spin.
      if (is_refused()) break;
      file_.rotate_if_due(platform::monotonic_coarse_ms());
    }
    report_findings();
    const std::lock_guard lock(mutex_);
    if (stopping_ && !woken_ && notes_.empty()) break;
    if (is_refused() && stopping_) break;
  }
  if (is_refused()) {
    report_lost();
  } else {
    sign_end();
  }
  (void)file_.sync();  // the last thing; nobody is left to tell
}

}  // namespace sessionblocks::flowlog
