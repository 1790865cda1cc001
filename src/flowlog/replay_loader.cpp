// Replay: which of the log's records are of the block, and in what order.
#include <algorithm>
#include <queue>
#include <set>

#include "flowlog/entry_fields.hpp"
#include "flowlog/replay.hpp"
#include "flowlog/text.hpp"

namespace sessionblocks::flowlog {

namespace {

// A block of one session system: ids start anew with another.
struct Target {
  Instance instance{};
  BlockId block{};
  std::string name;
};

bool is_change(const LogRecord& record) noexcept {
  if (record.outcome != 0) return false;
  if (record.op == Op::define_key) return record.has_value;
  return record.op >= Op::put && record.op != Op::for_each;
}

// Only a director erases what it knows by name, or defines with a value.
bool is_filling(const LogRecord& record) noexcept {
  return record.op == Op::define_key || (record.key_inline && record.op == Op::erase);
}

std::string count_text(std::uint64_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

}  // namespace

class ReplayLoader {
 public:
  ReplayLoader(std::string folder, const FindValueKey& find_key)
      : folder_(std::move(folder)), find_key_(find_key) {}

  [[nodiscard]] Result<Replay> load(std::string_view block);

 private:
  struct GenerationLog {
    bool is_published = false;
    bool is_whole = false;     // the log was there when it began
    std::int64_t unix_ms = 0;  // when that was said
    std::vector<Change> changes;
    std::set<LaneRef> fillers;
  };

  [[nodiscard]] Result<std::optional<Target>> find(std::string_view block);
  [[nodiscard]] Result<void> read(const Target& target);
  void take_record(Entry& entry);
  void take_note(const Entry& entry);
  void take_gap(const Entry& entry);
  void add_generation(Generation generation, GenerationLog& log);
  void add_changes(Generation generation, std::vector<Change> changes);
  void add_remarks();

  std::string folder_;
  const FindValueKey& find_key_;
  Replay replay_;
  std::map<Generation, GenerationLog> generations_;
  std::set<LaneRef> lanes_;  // that wrote to the block
  std::optional<ReplayStep> wiped_;
  std::optional<ReplayStep> destroyed_;
  std::int64_t begins_unix_ms_ = 0;
  std::size_t whole_from_ = SIZE_MAX;  // the first step behind which nothing can be missing
  std::uint64_t unnamed_ = 0;
  std::uint64_t without_value_ = 0;
  Errc why_without_{};
  std::uint64_t lost_ = 0;
  std::uint64_t missing_cells_ = 0;
  std::uint64_t removed_files_ = 0;
  std::uint64_t problems_ = 0;
  std::string first_problem_;
};

Result<std::optional<Target>> ReplayLoader::find(std::string_view block) {
  auto reader = LogReader::open(folder_);
  if (!reader) return tl::unexpected(reader.error());
  if (auto ended = reader->end_here(); !ended) return tl::unexpected(ended.error());
  std::optional<Target> found;
  const auto look = [&] {
    for (const auto& [id, generation] : reader->state().with_values) {
      const auto of = static_cast<BlockId>(id);
      if (!is_block(of, block, reader->state())) continue;
      const bool is_later =
          !found || found->instance != reader->identity().instance || raw(found->block) <= id;
      if (is_later) {
        found = Target{reader->identity().instance, of, std::string(reader->state().name_of(of))};
      }
    }
  };
  Entry entry;
  std::uint64_t file_number = 0;
  while (true) {
    const auto more = reader->next(entry);
    if (!more) return tl::unexpected(more.error());
    if (!*more) break;
    const bool is_said = entry.kind == EntryKind::note && entry.note.kind == NoteKind::values_kept;
    // A file's state, which is no entry, may be all that is left of what was said.
    if (is_said || std::exchange(file_number, reader->file_number()) != reader->file_number())
      look();
  }
  look();
  return found;
}

void ReplayLoader::take_record(Entry& entry) {
  LogRecord& record = entry.record;
  if (!is_change(record)) return;
  GenerationLog& log = generations_[record.block.generation()];
  if (is_filling(record)) log.fillers.insert(record.lane);
  lanes_.insert(record.lane);
  if (!record.has_key) return static_cast<void>(++unnamed_);
  Change change;
  change.lane = record.lane;
  change.sequence = record.sequence;
  change.time_ms = record.time_ms;
  change.unix_ms = record.unix_ms;
  change.offset_ms = record.unix_ms - static_cast<std::int64_t>(record.time_ms);
  change.op = record.op;
  change.key = record.key;
  change.version = record.version;
  change.value = std::move(entry.value);
  if (record.has_value && !change.value) {
    change.value_code = entry.value_code;
    why_without_ = entry.value_code;
    ++without_value_;
  }
  log.changes.push_back(std::move(change));
}

void ReplayLoader::take_note(const Entry& entry) {
  const Note& note = entry.note;
  if (note.kind == NoteKind::counted && note.block.word == 0) lost_ += note.number;
  if (note.kind == NoteKind::undrained) missing_cells_ += note.number;
  if (note.block.block() != replay_.block_) return;
  const ReplayStep step{StepKind::wiped, {}, entry.record.unix_ms, {}};
  if (note.kind == NoteKind::values_dropped) wiped_ = step;
  if (note.kind == NoteKind::values_ended) {
    destroyed_ = step;
    destroyed_->kind = StepKind::destroyed;
  }
  if (note.kind != NoteKind::values_kept) return;
  GenerationLog& log = generations_[note.block.generation()];
  log.is_published = true;
  log.is_whole = log.is_whole || note.number == 1;
  if (log.unix_ms == 0) log.unix_ms = entry.record.unix_ms;
}

void ReplayLoader::take_gap(const Entry& entry) {
  if (entry.files != 0) {
    removed_files_ += entry.files;
  } else {
    missing_cells_ += entry.cells;
  }
}

Result<void> ReplayLoader::read(const Target& target) {
  auto reader = LogReader::open(folder_);
  if (!reader) return tl::unexpected(reader.error());
  if (auto ended = reader->end_here(); !ended) return ended;
  // Each key is looked for once, not for every frame.
  std::map<snapshot::KeyId, Result<snapshot::Key>> known_keys;
  reader->give_values([&](const snapshot::KeyId& id) {
    const auto at = known_keys.find(id);
    return at != known_keys.end() ? at->second
                                  : known_keys.emplace(id, find_key_(id)).first->second;
  });
  Entry entry;
  while (true) {
    const auto more = reader->next(entry);
    if (!more) return tl::unexpected(more.error());
    if (!*more) return {};
    if (reader->identity().instance != target.instance) continue;
    if (begins_unix_ms_ == 0) begins_unix_ms_ = entry.record.unix_ms;
    // The file that says so may have been removed; each file states it anew.
    const auto known = reader->state().with_values.find(raw(target.block));
    if (known != reader->state().with_values.end()) {
      generations_[static_cast<Generation>(known->second)].is_published = true;
    }
    switch (entry.kind) {
      case EntryKind::record:
        if (entry.record.block.block() == target.block) take_record(entry);
        break;
      case EntryKind::note:
        take_note(entry);
        break;
      case EntryKind::gap:
        take_gap(entry);
        break;
      case EntryKind::problem:
        if (problems_++ == 0) first_problem_ = entry.problem;
        break;
      case EntryKind::checkpoint:
        break;
    }
  }
}

namespace {

// Orders the changes of one generation: lanes as they are, keys by version, else by time.
class Ordering {
 public:
  explicit Ordering(std::vector<Change> changes) : changes_(std::move(changes)) {
    std::map<std::string_view, std::vector<std::size_t>> keys;
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      lanes_[changes_[i].lane].push_back(i);
      keys[changes_[i].key].push_back(i);
    }
    for (auto& [lane, members] : lanes_) {
      std::sort(members.begin(), members.end(), [&](std::size_t a, std::size_t b) {
        return changes_[a].sequence < changes_[b].sequence;
      });
    }
    before_.assign(changes_.size(), kNone);
    for (auto& [key, members] : keys) {
      std::sort(members.begin(), members.end(), [&](std::size_t a, std::size_t b) {
        return changes_[a].version < changes_[b].version;
      });
      for (std::size_t i = 1; i < members.size(); ++i) before_[members[i]] = members[i - 1];
    }
  }

  // Whether they fit together; if not, what contradicts comes by time.
  template <typename Add>
  [[nodiscard]] bool run(Add add) {
    std::map<LaneRef, std::size_t> places;
    std::vector<bool> is_done(changes_.size());
    std::map<std::size_t, LaneRef> waiting;  // lanes, by what they wait for
    std::multimap<std::uint64_t, LaneRef> ready;
    bool fits = true;
    const auto look_at = [&](LaneRef lane) {
      const auto& members = lanes_[lane];
      const std::size_t place = places[lane];
      if (place == members.size()) return;
      const std::size_t before = before_[members[place]];
      if (before == kNone || is_done[before]) {
        ready.emplace(changes_[members[place]].time_ms, lane);
      } else {
        waiting.emplace(before, lane);
      }
    };
    for (const auto& [lane, members] : lanes_) look_at(lane);
    while (!ready.empty() || !waiting.empty()) {
      if (ready.empty()) {
        fits = false;
        ready.emplace(0, waiting.begin()->second);
        waiting.erase(waiting.begin());
      }
      const LaneRef lane = ready.begin()->second;
      ready.erase(ready.begin());
      const std::size_t at = lanes_[lane][places[lane]++];
      is_done[at] = true;
      add(std::move(changes_[at]));
      look_at(lane);
      if (const auto next = waiting.find(at); next != waiting.end()) {
        const LaneRef other = next->second;
        waiting.erase(next);
        look_at(other);
      }
    }
    return fits;
  }

 private:
  static constexpr std::size_t kNone = SIZE_MAX;
  std::vector<Change> changes_;
  std::map<LaneRef, std::vector<std::size_t>> lanes_;
  std::vector<std::size_t> before_;  // the change of the same key that came before it
};

}  // namespace

void ReplayLoader::add_changes(Generation generation, std::vector<Change> changes) {
  Ordering ordering(std::move(changes));
  const bool fits = ordering.run([&](Change change) {
    ReplayStep step{StepKind::change, generation, change.unix_ms, {}};
    step.changes.push_back(std::move(change));
    replay_.steps_.push_back(std::move(step));
  });
  if (fits) return;
  replay_.is_damaged_ = true;
  replay_.remarks_.push_back("operations on generation " + std::to_string(raw(generation)) +
                             " contradict each other: a worker made up versions");
}

void ReplayLoader::add_generation(Generation generation, GenerationLog& log) {
  const auto is_filling = [&](const Change& change) { return log.fillers.contains(change.lane); };
  std::vector<Change> changes;
  ReplayStep begin{StepKind::generation, generation, log.unix_ms, {}};
  for (Change& change : log.changes) {
    (is_filling(change) ? begin.changes : changes).push_back(std::move(change));
  }
  // One that was given up has nothing but what it was filled with.
  if (!log.is_published && changes.empty()) return;
  if (begin.unix_ms == 0 && !begin.changes.empty()) begin.unix_ms = begin.changes.back().unix_ms;
  if (begin.unix_ms == 0 && !changes.empty()) begin.unix_ms = changes.front().unix_ms;
  replay_.steps_.push_back(std::move(begin));
  if (log.is_whole) whole_from_ = std::min(whole_from_, replay_.steps_.size());
  add_changes(generation, std::move(changes));
}

void ReplayLoader::add_remarks() {
  auto& remarks = replay_.remarks_;
  const auto note = [&](std::string text) { remarks.push_back(std::move(text)); };
  if (whole_from_ > 1) {
    const std::string until =
        whole_from_ == SIZE_MAX ? "" : " before operation " + std::to_string(whole_from_);
    note("the log begins at " + utc_text(begins_unix_ms_) + "; earlier values are not in it:" +
         until + " entries that were not changed since are not shown");
  }
  if (without_value_ != 0) {
    const std::string why = why_without_ == Errc::wiped
                                ? "the block was wiped, and their key with it"
                            : why_without_ == Errc::denied ? "their key is not in the key file"
                                                           : "they were not kept";
    note(count_text(without_value_, "value") + " cannot be read: " + why);
  }
  if (unnamed_ != 0)
    note(count_text(unnamed_, "change") + " of keys whose names are not in the log");
  if (lost_ != 0) {
    note(count_text(lost_, "operation") +
         " of this system were lost to full rings, perhaps some here");
  }
  if (missing_cells_ != 0) {
    note(count_text(missing_cells_, "ring cell") +
         " were counted and not kept, perhaps some of this block");
  }
  if (problems_ == 0) return;
  replay_.is_damaged_ = true;
  note("the log has damage, first: " + first_problem_ + "; sessionctl log verify counts it");
}

Result<Replay> ReplayLoader::load(std::string_view block) {
  const auto target = find(block);
  if (!target) return tl::unexpected(target.error());
  if (!*target) {
    return fail(Errc::not_found, "values of block " + escaped(block) +
                                     " in the log: only a block made with log_values has them");
  }
  replay_.block_ = (*target)->block;
  replay_.name_ = (*target)->name;
  if (auto done = read(**target); !done) return tl::unexpected(done.error());
  for (auto& [generation, log] : generations_) add_generation(generation, log);
  if (wiped_) replay_.steps_.push_back(std::move(*wiped_));
  if (destroyed_) replay_.steps_.push_back(std::move(*destroyed_));
  add_remarks();
  replay_.seek(replay_.steps_.size());
  return std::move(replay_);
}

Result<Replay> Replay::load(const std::string& folder, std::string_view block,
                            const FindValueKey& find_key) {
  return ReplayLoader(folder, find_key).load(block);
}

}  // namespace sessionblocks::flowlog
