#include "flowlog/director_sinks.hpp"

#include "platform/random.hpp"

namespace sessionblocks::flowlog {

namespace {

using director::EventKind;

director::Event event_of(const LogEvent& said) {
  switch (said.kind) {
    case LogEvent::Kind::lane_forged:
      return {EventKind::failed,
              "audit ring of worker " + std::to_string(said.lane.worker) + " lane " +
                  std::to_string(said.lane.lane),
              "forged, nothing more is taken from it: " + said.text};
    case LogEvent::Kind::disk_refuses:
      return {EventKind::failed, "audit log", "refused by the disk: " + said.text};
    case LogEvent::Kind::disk_accepts:
      return {EventKind::recovered, "audit log", said.text};
    case LogEvent::Kind::disk_lost:
      return {EventKind::failed, "audit log", "cut short by the disk: " + said.text};
    case LogEvent::Kind::tail_cut:
      return {EventKind::recovered, "audit log", "torn tail cut: " + said.text};
    case LogEvent::Kind::file_kept:
    case LogEvent::Kind::not_signed:
    case LogEvent::Kind::key_changed:
      return {EventKind::failed, "audit log", said.text};
    case LogEvent::Kind::file_altered:
      break;
  }
  return {EventKind::failed, "audit log",
          said.text + "; it stays as it is, and the log goes on in a new file"};
}

bool is_warning(EventKind kind) noexcept {
  return kind == EventKind::denied || kind == EventKind::died || kind == EventKind::swept ||
         kind == EventKind::failed || kind == EventKind::timed_out ||
         kind == EventKind::quarantined || kind == EventKind::forged;
}

}  // namespace

void EventLog::on_event(const director::Event& event) {
  if (lines_) {
    lines_->add(is_warning(event.kind) ? DirectorLog::Level::warning : DirectorLog::Level::info,
                director::word(event.kind), event.subject, event.detail);
  }
  if (next_) next_->on_event(event);
}

FlowLogSink::FlowLogSink(FlowLogConfig config, std::shared_ptr<director::EventSink> events)
    : config_(std::move(config)), events_(std::move(events)) {}

Result<void> FlowLogSink::begin(const Instance& instance) {
  if (log_) return fail(Errc::invalid_argument, "the log is open already");
  config_.log.instance = instance;
  LogEvents said = [events = events_](const LogEvent& event) {
    if (events) events->on_event(event_of(event));
  };
  auto log = FlowLog::open(config_, std::move(said));
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
  if (!events_) return;
  events_->on_event({EventKind::failed, std::string("audit log: ").append(what), error.message()});
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
  auto drained = log_->drain_fully(worker);
  // The director's own worker is not added: its lane finishes what others began and logs nothing.
  if (!drained && !(drained.error() == Errc::not_found)) complain("drain", drained.error());
}

void FlowLogSink::worker_removed(WorkerId worker) {
  if (is_ready()) log_->remove_worker(worker);
}

bool FlowLogSink::take_used(WorkerId worker, unsigned open) {
  return !is_ready() || log_->take_used(worker, open);
}

void FlowLogSink::keep_values(BlockId block, Generation generation, std::string_view name,
                              const snapshot::Key& key) {
  if (is_ready()) log_->keep_values(BlockRef::make(block, generation), name, key);
}

void FlowLogSink::end_values(BlockId block) {
  if (is_ready()) log_->end_values(block);
}

void FlowLogSink::drop_values(BlockId block) {
  if (is_ready()) log_->drop_values(block);
}

void FlowLogSink::note(std::string_view transition) {
  if (is_ready()) log_->note(transition);
}

}  // namespace sessionblocks::flowlog
