#include "flowlog/director_sinks.hpp"

#include "platform/clock.hpp"
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

Note note_of(const director::Event& event) {
  Note note;
  note.kind = NoteKind::transition;
  note.worker = raw(event.worker);
  note.block = BlockRef::make(event.block, event.generation);
  note.second = event.left_out;
  note.text = event.detail;
  note.what = director::word(event.kind);
  note.subject = event.subject;
  note.by = event.asked_by;
  note.unix_ms = static_cast<std::int64_t>(platform::realtime_ns() / 1'000'000U);
  return note;
}

bool is_warning(EventKind kind) noexcept {
  return kind == EventKind::denied || kind == EventKind::died || kind == EventKind::swept ||
         kind == EventKind::failed || kind == EventKind::timed_out ||
         kind == EventKind::quarantined || kind == EventKind::forged || kind == EventKind::found;
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
  log_->set_tap(tap_);
  return {};
}

void FlowLogSink::set_tap(director::AuditTap* tap) {
  tap_ = tap;
  if (log_) log_->set_tap(tap);
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

void FlowLogSink::block_masked(BlockId block, director::SharedMask mask) {
  if (is_ready()) log_->mask_block(block, std::move(mask));
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

void FlowLogSink::note(std::string_view text) {
  if (is_ready()) log_->note(text);
}

std::uint64_t FlowLogSink::begin(const director::Event& event) {
  return is_ready() ? log_->begin(note_of(event)) : 0;
}

void FlowLogSink::transition(const director::Event& event, std::uint64_t begun) {
  if (is_ready()) log_->transition(note_of(event), begun);
}

void FlowLogSink::withdraw(std::uint64_t begun) {
  if (is_ready()) log_->withdraw(begun);
}

}  // namespace sessionblocks::flowlog
