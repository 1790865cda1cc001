// The thread that writes the log: takes batches from the drain thread and notes from anyone, and
// gives ring cells back once write() has returned.
//
// A disk that refuses stops this thread's progress at most, never a caller: with `wait` it keeps
// what it has and tries again (rings then fill, and each block's policy applies); with `count` it
// lets the records go and the log states how many are missing.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "flowlog/lane.hpp"
#include "flowlog/log_file.hpp"
#include "lockfree/queue.hpp"

namespace sessionblocks::flowlog {

enum class OnFullDisk : std::uint8_t { wait = 1, count = 2 };

struct Batch {
  std::shared_ptr<Lane> lane;
  std::uint64_t first = 0;
  std::uint64_t now_ms = 0;
  std::size_t count = 0;
  std::vector<RingCell> cells;  // `count` of them are used
};

struct LogTotals {
  std::uint64_t cells = 0;          // ring cells in the log
  std::uint64_t lost_cells = 0;     // counted instead of kept, for want of disk
  std::uint64_t bytes = 0;          // written to files
  std::uint64_t unknown_keys = 0;   // named by records, defined nowhere
  std::uint64_t removed_files = 0;  // to keep the disk budget
};

class LogWriter {
 public:
  static constexpr std::size_t kBatches = 64;
  static constexpr std::size_t kBatchCells = 8'192;

  // `learn_ahead` finds definitions in rings (Drainer::learn_ahead).
  LogWriter(LogFile file, OnFullDisk on_full_disk, LogEvents events);
  ~LogWriter();  // stop()
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  void start(LogFile::LearnKeys learn_ahead);
  // Writes what was handed over, as far as the disk takes it, and ends the thread.
  void stop();

  // Drain thread only: an empty batch, null when all are under way; and back, filled.
  [[nodiscard]] Batch* empty_batch();
  void hand_over(Batch* batch);
  void wake();  // after one or more hand_over
  // Any thread.
  void add_note(Note note);
  // Waits until all notes that were added are in files, or the disk refuses.
  void await_notes();
  [[nodiscard]] bool is_refused() const noexcept {
    return refused_.load(std::memory_order_acquire);
  }
  [[nodiscard]] bool waits_for_disk() const noexcept { return on_full_disk_ == OnFullDisk::wait; }
  [[nodiscard]] LogTotals totals() const noexcept;
  // All transitions before it are in files.
  [[nodiscard]] std::uint64_t next_transition() const noexcept {
    return next_transition_.load(std::memory_order_acquire);
  }

  // Waits until `done` is true, which progress of this thread makes so, or the disk refuses.
  template <typename Done>
  [[nodiscard]] bool wait_until(Done done) {
    std::unique_lock lock(mutex_);
    const bool gives_up = on_full_disk_ == OnFullDisk::wait;
    progress_.wait(lock, [&] { return done() || (gives_up && is_refused()) || stopping_; });
    return done();
  }
  // For the drain thread, which makes progress too (a lane that turned out forged).
  void announce_progress();

 private:
  void run();
  [[nodiscard]] bool stage();
  void wait_for_work();
  void commit_staged();
  void sign_end();
  void report_findings();
  void give_back();
  void set_refused(const Error& error);
  void set_accepted();
  void report_lost();
  void report(LogEvent::Kind kind, std::string text) const;

  LogFile file_;
  OnFullDisk on_full_disk_;
  LogEvents events_;
  std::vector<std::unique_ptr<Batch>> batches_;
  ThreadQueue<Batch*> filled_;  // drain thread to writer
  ThreadQueue<Batch*> empty_;   // and back
  std::vector<Batch*> staged_;
  std::string refusal_;  // why the disk refused last

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable progress_;
  std::deque<Note> notes_;          // under mutex_
  std::uint64_t notes_added_ = 0;   // under mutex_
  bool woken_ = false;              // under mutex_
  bool stopping_ = false;           // under mutex_
  std::uint64_t staged_notes_ = 0;  // writer thread
  std::atomic<std::uint64_t> written_notes_{0};
  std::atomic<bool> refused_{false};
  std::atomic<std::uint64_t> cells_{0};
  std::atomic<std::uint64_t> lost_cells_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> unknown_keys_{0};
  std::atomic<std::uint64_t> removed_files_{0};
  std::atomic<std::uint64_t> next_transition_{0};
  std::thread thread_;
};

}  // namespace sessionblocks::flowlog
