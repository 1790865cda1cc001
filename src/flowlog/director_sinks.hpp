// What the director calls, answered by FlowLog and by the director's own log.
#pragma once

#include <memory>

#include "director/audit_sink.hpp"
#include "director/events.hpp"
#include "flowlog/director_log.hpp"
#include "flowlog/flow_log.hpp"

namespace sessionblocks::flowlog {

// What the log has to tell (a forged lane, a disk that refuses, a torn tail) becomes events, from
// its own threads; `events` may be null. A call that the log cannot answer costs what it would have
// logged, never the director.
class FlowLogSink final : public director::AuditSink {
 public:
  FlowLogSink(FlowLogConfig config, std::shared_ptr<director::EventSink> events);

  // Before anything else is called: opens the log of this session system. The instance is the
  // system's own for its whole life, over restarts of the director, and no other system's. Without
  // this the first call opens the log as a new system's: what the log had of the workers is then a
  // stated gap.
  [[nodiscard]] Result<void> begin(const Instance& instance);
  // Null until the log is open.
  [[nodiscard]] FlowLog* log() noexcept { return log_.get(); }

  void worker_added(const director::WorkerMemory& worker, std::string_view scope) override;
  void block_opened(WorkerId worker, unsigned open, BlockId block, Generation generation,
                    std::string_view name) override;
  void block_masked(BlockId block, director::SharedMask mask) override;
  void drain_fully(WorkerId worker) override;
  void worker_removed(WorkerId worker) override;
  bool take_used(WorkerId worker, unsigned open) override;
  [[nodiscard]] bool keeps_values() const noexcept override { return true; }
  void keep_values(BlockId block, Generation generation, std::string_view name,
                   const snapshot::Key& key) override;
  void drop_values(BlockId block) override;
  void end_values(BlockId block) override;
  void note(std::string_view text) override;
  std::uint64_t begin(const director::Event& event) override;
  void transition(const director::Event& event, std::uint64_t begun) override;
  void withdraw(std::uint64_t begun) override;
  void set_tap(director::AuditTap* tap) override;

 private:
  [[nodiscard]] bool is_ready();
  void complain(std::string_view what, const Error& error);

  FlowLogConfig config_;
  std::shared_ptr<director::EventSink> events_;
  director::AuditTap* tap_ = nullptr;
  std::unique_ptr<FlowLog> log_;
  bool has_failed_ = false;  // to open: said once
};

// Writes events as lines, and hands them on to `next`, which may be null. Any thread, once the
// lines are there; set_lines comes before the first event or not at all.
class EventLog final : public director::EventSink {
 public:
  explicit EventLog(std::shared_ptr<director::EventSink> next) : next_(std::move(next)) {}
  [[nodiscard]] bool has_lines() const noexcept { return lines_ != nullptr; }
  void set_lines(std::unique_ptr<DirectorLog> lines) noexcept { lines_ = std::move(lines); }
  void on_event(const director::Event& event) override;

 private:
  std::unique_ptr<DirectorLog> lines_;
  std::shared_ptr<director::EventSink> next_;
};

}  // namespace sessionblocks::flowlog
