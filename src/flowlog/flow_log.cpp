#include "flowlog/flow_log.hpp"

namespace sessionblocks::flowlog {

FlowLog::FlowLog(LogFile file, std::shared_ptr<ValueKeys> value_keys, OnFullDisk on_full_disk,
                 LogEvents events)
    : value_keys_(std::move(value_keys)),
      adopted_(file.state()),
      masks_(file.keys().masks()),
      folder_(file.folder()),
      writer_(std::move(file), on_full_disk, events),
      drainer_(writer_, events) {
  take_up();
  writer_.start([this](KeyBook& keys) { drainer_.learn_ahead(keys); });
  drainer_.start();
}

Result<std::unique_ptr<FlowLog>> FlowLog::open(FlowLogConfig config, LogEvents events) {
  auto value_keys = std::make_shared<ValueKeys>();
  config.log.value_keys = value_keys;
  auto file = LogFile::open(std::move(config.log));
  if (!file) return tl::unexpected(std::move(file).error());
  return std::unique_ptr<FlowLog>(
      new FlowLog(std::move(*file), std::move(value_keys), config.on_full_disk, std::move(events)));
}

FlowLog::~FlowLog() {
  // Workers that are still there go on with the next director: their rings keep what is left.
  for (const WorkerId worker : workers_) (void)drainer_.drain_fully(worker);
  drainer_.drain_kept();
  drainer_.stop();
  writer_.stop();
  journal_.forget(writer_.next_transition(), TransitionJournal::When::at_once);
}

// What an earlier director did or was about when it died, as far as its files lack it.
void FlowLog::take_up() {
  for (Note& note : journal_.open(folder_ + "/transitions", adopted_.next_transition)) {
    writer_.add_note(std::move(note));
  }
}

std::uint64_t FlowLog::begin(Note note) {
  journal_.forget(writer_.next_transition());
  return journal_.begin(note);
}

void FlowLog::transition(Note note, std::uint64_t begun) {
  journal_.forget(writer_.next_transition());
  writer_.add_note(journal_.tell(std::move(note), begun));
}

void FlowLog::withdraw(std::uint64_t begun) {
  journal_.withdraw(begun);
}

Result<void> FlowLog::add_worker(WorkerId worker, std::span<std::byte> segment,
                                 std::uint64_t ring_records, std::string_view scope) {
  auto added = drainer_.add_worker(worker, segment, ring_records, adopted_);
  if (!added) return added;
  workers_.insert(worker);
  Note note;
  note.kind = NoteKind::worker_added;
  note.worker = raw(worker);
  note.text = scope;
  writer_.add_note(std::move(note));
  return {};
}

Result<void> FlowLog::open_block(WorkerId worker, unsigned open, BlockRef block,
                                 std::string_view name) {
  if (auto set = drainer_.set_open(worker, open, block); !set) return set;
  Note note;
  note.kind = NoteKind::opened;
  note.worker = raw(worker);
  note.open = static_cast<std::uint16_t>(open);
  note.block = block;
  note.text = name;
  writer_.add_note(std::move(note));
  return {};
}

void FlowLog::remove_worker(WorkerId worker) {
  if (workers_.erase(worker) == 0) return;
  (void)drainer_.drain_fully(worker);
  for (Note& note : drainer_.take_counts(worker)) writer_.add_note(std::move(note));
  drainer_.remove_worker(worker);
  Note note;
  note.kind = NoteKind::worker_removed;
  note.worker = raw(worker);
  writer_.add_note(std::move(note));
  // Its counters go with its memory.
  writer_.await_notes();
}

void FlowLog::keep_values(BlockRef block, std::string_view name, const snapshot::Key& key) {
  value_keys_->set(block.block(), key);
  Note note;
  note.kind = NoteKind::values_kept;
  note.block = block;
  const auto known = adopted_.with_values.find(raw(block.block()));
  const bool is_known =
      known != adopted_.with_values.end() && known->second == raw(block.generation());
  note.number = is_known ? 0 : 1;
  note.text = name;
  writer_.add_note(std::move(note));
}

void FlowLog::end_values(BlockId block) {
  Note note;
  note.kind = NoteKind::values_ended;
  note.block = BlockRef::make(block, {});
  writer_.add_note(std::move(note));
}

void FlowLog::drop_values(BlockId block) {
  value_keys_->forget(block);
  Note note;
  note.kind = NoteKind::values_dropped;
  note.block = BlockRef::make(block, {});
  writer_.add_note(std::move(note));
}

void FlowLog::note(std::string_view text) {
  Note note;
  note.text = text;
  writer_.add_note(std::move(note));
}

}  // namespace sessionblocks::flowlog
