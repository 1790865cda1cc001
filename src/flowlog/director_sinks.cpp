#include "flowlog/director_sinks.hpp"

#include "platform/random.hpp"

namespace sessionblocks::flowlog {

namespace {

std::string lane_subject(const LogEvent& event) {
  if (event.kind != LogEvent::Kind::lane_forged) return "log";
  return "worker " + std::to_string(event.lane.worker) + " lane " + std::to_string(event.lane.lane);
}

std::string_view what_happened(LogEvent::Kind kind) noexcept {
  switch (kind) {
    case LogEvent::Kind::lane_forged:
      return "forged";
    case LogEvent::Kind::disk_refuses:
      return "refused";
    case LogEvent::Kind::disk_accepts:
      break;
  }
  return "resumed";
}

class EventLog final : public director::EventSink {
 public:
  EventLog(std::shared_ptr<DirectorLog> lines, std::shared_ptr<director::EventSink> next)
      : lines_(std::move(lines)), next_(std::move(next)) {}

  void on_event(const director::Event& event) override {
    using director::EventKind;
    const bool is_warning = event.kind == EventKind::denied || event.kind == EventKind::died ||
                            event.kind == EventKind::swept || event.kind == EventKind::failed ||
                            event.kind == EventKind::timed_out;
    lines_->add(is_warning ? DirectorLog::Level::warning : DirectorLog::Level::info,
                director::word(event.kind), event.subject, event.detail);
    if (next_) next_->on_event(event);
  }

 private:
  std::shared_ptr<DirectorLog> lines_;
  std::shared_ptr<director::EventSink> next_;
};

}  // namespace

FlowLogSink::FlowLogSink(FlowLogConfig config, std::shared_ptr<DirectorLog> lines)
    : config_(std::move(config)), lines_(std::move(lines)) {}

Result<void> FlowLogSink::begin(const Instance& instance) {
  if (log_) return fail(Errc::invalid_argument, "the log is open already");
  config_.log.instance = instance;
  LogEvents events = [lines = lines_](const LogEvent& event) {
    if (!lines) return;
    lines->add(DirectorLog::Level::warning, what_happened(event.kind), lane_subject(event),
               event.text);
  };
  auto log = FlowLog::open(config_, std::move(events));
  if (!log) return tl::unexpected<Error>(std::move(log).error());
  log_ = std::move(*log);
  return {};
}

bool FlowLogSink::is_ready() {
  if (log_) return true;
  if (has_failed_) return false;
  Instance instance{};
  auto begun = platform::random_bytes(std::as_writable_bytes(std::span(instance)));
  if (begun) begun = begin(instance);
  if (!begun) {
    has_failed_ = true;
    complain("open", begun.error());
  }
  return log_ != nullptr;
}

void FlowLogSink::complain(std::string_view what, const Error& error) {
  if (!lines_) return;
  lines_->add(DirectorLog::Level::warning, "failed", std::string("log: ").append(what),
              error.message());
}

void FlowLogSink::worker_added(const director::WorkerMemory& worker, std::string_view scope) {
  if (!is_ready()) return;
  auto added = log_->add_worker(worker.id, worker.segment, worker.ring_records, scope);
  if (!added) complain("add", added.error());
}

void FlowLogSink::block_opened(WorkerId worker, unsigned open, BlockId block, Generation generation,
                               std::string_view name) {
  if (!is_ready()) return;
  auto opened = log_->open_block(worker, open, BlockRef::make(block, generation), name);
  if (!opened) complain("open block", opened.error());
}

void FlowLogSink::drain_fully(WorkerId worker) {
  if (!is_ready()) return;
  if (auto drained = log_->drain_fully(worker); !drained) complain("drain", drained.error());
}

void FlowLogSink::worker_removed(WorkerId worker) {
  if (is_ready()) log_->remove_worker(worker);
}

void FlowLogSink::note(std::string_view transition) {
  if (is_ready()) log_->note(transition);
}

std::shared_ptr<director::EventSink> make_event_log(std::shared_ptr<DirectorLog> lines,
                                                    std::shared_ptr<director::EventSink> next) {
  return std::make_shared<EventLog>(std::move(lines), std::move(next));
}

}  // namespace sessionblocks::flowlog
