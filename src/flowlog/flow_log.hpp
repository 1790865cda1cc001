// FlowLog: every read and write of every worker, on disk, in order, once.
//
// The director's face of the log. open() takes up what an earlier director left; then workers are
// added, their open blocks named, and the rings drain by themselves. All functions are for one
// thread (the director's event loop); none waits for a disk that refuses.
#pragma once

#include <memory>
#include <sessionblocks/error.hpp>
#include <set>
#include <string_view>

#include "flowlog/drainer.hpp"
#include "flowlog/log_writer.hpp"
#include "flowlog/transition_journal.hpp"

namespace sessionblocks::flowlog {

struct FlowLogConfig {
  LogConfig log;
  OnFullDisk on_full_disk = OnFullDisk::wait;
};

class FlowLog {
 public:
  // Errors as LogFile::open.
  [[nodiscard]] static Result<std::unique_ptr<FlowLog>> open(FlowLogConfig config,
                                                             LogEvents events = {});
  ~FlowLog();  // takes what is there, writes it, ends the threads

  // `segment` stays mapped until remove_worker returns or this ends. A worker that the log knows
  // goes on where the log ends; what `open` meant for it is known again.
  [[nodiscard]] Result<void> add_worker(WorkerId worker, std::span<std::byte> segment,
                                        std::uint64_t ring_records, std::string_view scope);
  // Before an open of the block is named, or a worker is added whose ring may speak of it.
  void mask_block(BlockId block, director::SharedMask mask) { masks_->set(block, std::move(mask)); }
  // Before the worker is told of it.
  [[nodiscard]] Result<void> open_block(WorkerId worker, unsigned open, BlockRef block,
                                        std::string_view name);
  [[nodiscard]] Result<void> drain_fully(WorkerId worker) { return drainer_.drain_fully(worker); }
  [[nodiscard]] bool take_used(WorkerId worker, unsigned open) {
    return drainer_.take_used(worker, open);
  }
  void remove_worker(WorkerId worker);
  // As director::AuditSink has them.
  void keep_values(BlockRef block, std::string_view name, const snapshot::Key& key);
  void drop_values(BlockId block);
  void end_values(BlockId block);
  // Hears of records as they are drained. Before any worker is added; outlives this.
  void set_tap(director::AuditTap* tap) noexcept { drainer_.set_tap(tap); }
  // A line, in the same chain as the records.
  void note(std::string_view text);
  // What the director does, likewise (transition_journal.hpp): about to be done, which returns what
  // ends it, done (0: it was not begun), not done. `note` has what is known of it.
  [[nodiscard]] std::uint64_t begin(Note note);
  void transition(Note note, std::uint64_t begun);
  void withdraw(std::uint64_t begun);

  [[nodiscard]] LogTotals totals() const noexcept { return writer_.totals(); }
  [[nodiscard]] bool is_refused() const noexcept { return writer_.is_refused(); }

 private:
  FlowLog(LogFile file, std::shared_ptr<ValueKeys> value_keys, OnFullDisk on_full_disk,
          LogEvents events);
  void take_up();

  std::shared_ptr<ValueKeys> value_keys_;
  LogState adopted_;  // as the log stood at open()
  std::shared_ptr<KeyMasks> masks_;
  std::string folder_;
  LogWriter writer_;
  Drainer drainer_;
  std::set<WorkerId> workers_;
  TransitionJournal journal_;
};

}  // namespace sessionblocks::flowlog
