#include "flowlog/verify.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <thread>

namespace sessionblocks::flowlog {

namespace {

constexpr unsigned kLooks = 20;
constexpr std::chrono::milliseconds kBetweenLooks{5};

void miss(LaneReport& lane, const MissingCells& what) {
  (what.is_stated ? lane.stated_cells : lane.unstated_cells) += what.cells;
  if (lane.missing.size() < LaneReport::kMostMissing) lane.missing.push_back(what);
}

// One reading of a log, entry by entry.
class Verifier {
 public:
  Verifier(LogReader reader, std::vector<PublicKey> keys)
      : reader_(std::move(reader)), keys_(std::move(keys)) {
    reader_.give_checkpoints();
  }

  [[nodiscard]] Result<VerifyReport> run(const VerifyOptions& options);
  void add_problem(std::string what, Place place);

 private:
  void enter_file(const Entry& entry);
  void take(const Entry& entry);
  void take_cells(const Entry& entry);
  void pass_removed();
  void take_checkpoint(const Checkpoint& checkpoint);
  void add_problem(std::string what) { add_problem(std::move(what), reader_.place()); }
  void finish(const VerifyOptions& options);

  LogReader reader_;
  std::vector<PublicKey> keys_;  // whose signatures count
  VerifyReport report_;
  std::set<std::string> files_;
  std::map<std::pair<std::uint32_t, LaneRef>, LaneReport> lanes_;
  std::uint32_t system_ = 0;
  Instance instance_{};
  std::uint64_t removed_to_ = 0;  // the last file that a note says was removed
};

void Verifier::add_problem(std::string what, Place place) {
  if (report_.problems++ != 0) return;
  report_.first_problem = std::move(what);
  report_.first_place = std::move(place);
}

void Verifier::enter_file(const Entry& entry) {
  const bool is_new = files_.insert(reader_.place().file).second;
  const Instance& instance = reader_.identity().instance;
  if (system_ == 0 || instance != instance_) ++system_;
  instance_ = instance;
  if (!is_new) return;
  if (files_.size() == 1) {
    report_.first_file = reader_.place().file;
    report_.begins_unix_ms = entry.record.unix_ms;
  }
  const auto& signer = reader_.identity().signer;
  const bool is_known = signer && std::find(keys_.begin(), keys_.end(), *signer) != keys_.end();
  if (entry.kind == EntryKind::problem || is_known) return;
  if (signer && keys_.empty()) {
    add_problem("signed, and there is no " + std::string(kPublicKeyFile) +
                " beside it to check that with; name a copy with --public-key");
  } else if (signer) {
    add_problem("signed with another key than the public keys are for: " + hex(*signer));
  } else if (!keys_.empty()) {
    add_problem("this file is not signed");
  }
}

// Files that the disk budget took before they were read: the log begins behind them.
void Verifier::pass_removed() {
  for (const auto& [lane, next] : reader_.state().next) {
    const auto at = lanes_.find({system_, lane});
    if (at == lanes_.end() || next <= at->second.next) continue;
    miss(at->second, {at->second.next, next - at->second.next, true});
    at->second.next = next;
  }
}

void Verifier::take_cells(const Entry& entry) {
  const LogRecord& record = entry.record;
  auto [at, is_new] = lanes_.try_emplace({system_, record.lane});
  LaneReport& lane = at->second;
  if (is_new) {
    lane.system = system_;
    lane.lane = record.lane;
    lane.first = lane.next = record.sequence;
  }
  if (lane.scope.empty()) lane.scope = reader_.state().scope_of(record.lane.worker);
  if (record.sequence > lane.next) {
    miss(lane, {lane.next, record.sequence - lane.next, false});
  }
  if (entry.kind == EntryKind::gap) {
    miss(lane, {record.sequence, entry.cells, true});
    lane.next = std::max(lane.next, record.sequence + entry.cells);
    return;
  }
  lane.next = std::max(lane.next, record.sequence + record.cells());
  ++lane.records;
}

void Verifier::take_checkpoint(const Checkpoint& checkpoint) {
  const auto& signer = reader_.identity().signer;
  const std::string name = "checkpoint " + std::to_string(checkpoint.number);
  if (!signer) return add_problem(name + " in a file that says it is not signed");
  if (std::find(keys_.begin(), keys_.end(), *signer) == keys_.end()) return;  // said for the file
  CheckpointReport& done = report_.checkpoints;
  if (!is_signed_by(checkpoint, *signer)) {
    return add_problem(name + ": its signature does not hold: it, or something behind " +
                       (done.count == 0 ? std::string("the log's beginning")
                                        : "checkpoint " + std::to_string(done.last_number)) +
                       ", was forged");
  }
  // Behind damage a signature says what it signs, and not that this log is it.
  if (!report_.is_whole()) return;
  done = {done.count + 1, checkpoint.number, checkpoint.unix_ms, reader_.place()};
  for (const auto& [lane, next] : checkpoint.next) {
    const auto at = lanes_.find({system_, lane});
    if (at != lanes_.end()) at->second.signed_next = next;
  }
}

void Verifier::take(const Entry& entry) {
  enter_file(entry);
  switch (entry.kind) {
    case EntryKind::record:
      ++report_.records;
      ++report_.checkpoints.records_behind;
      if (entry.record.op != Op::define_key) report_.operations += entry.record.count;
      take_cells(entry);
      break;
    case EntryKind::note:
      ++report_.notes;
      ++report_.checkpoints.notes_behind;
      if (entry.note.kind == NoteKind::damage) add_problem(entry.note.text);
      if (entry.note.kind == NoteKind::files_removed) {
        removed_to_ = std::max(removed_to_, entry.note.second);
      }
      break;
    case EntryKind::gap:
      report_.missing_cells += entry.cells;
      entry.files != 0 ? pass_removed() : take_cells(entry);
      break;
    case EntryKind::checkpoint:
      take_checkpoint(entry.checkpoint);
      break;
    case EntryKind::problem:
      add_problem(entry.problem);
      break;
  }
}

void Verifier::finish(const VerifyOptions& options) {
  report_.files = files_.size();
  report_.lanes = lanes_.size();
  for (auto& lane : lanes_) report_.lane_reports.push_back(std::move(lane.second));
  if (!files_.empty()) report_.removed_files = std::min(removed_to_, report_.first_number - 1);
  report_.has_torn_tail = reader_.has_torn_tail();
  if (report_.has_torn_tail) {
    add_problem("the last frame is cut short: a crash or somebody cut it");
  }
  const std::uint64_t last = report_.checkpoints.count == 0 ? 0 : report_.checkpoints.last_number;
  if (options.since_checkpoint && last < *options.since_checkpoint) {
    add_problem("there is no checkpoint " + std::to_string(*options.since_checkpoint) +
                (last == 0 ? ", nor any other" : ": the last one is " + std::to_string(last)) +
                "; what it signed was cut off, or this is another log");
  }
}

Result<VerifyReport> Verifier::run(const VerifyOptions& options) {
  Entry entry;
  for (unsigned looks = 0; looks < kLooks;) {
    auto more = reader_.next(entry);
    if (!more) return tl::unexpected(std::move(more).error());
    if (!*more) {
      // What is being written now is whole in a moment; what a crash tore stays torn.
      if (!reader_.has_torn_tail()) break;
      ++looks;
      std::this_thread::sleep_for(kBetweenLooks);
      continue;
    }
    if (report_.first_number == 0) report_.first_number = reader_.file_number();
    take(entry);
  }
  finish(options);
  return std::move(report_);
}

}  // namespace

Result<VerifyReport> verify(const std::string& folder, const VerifyOptions& options) {
  auto reader = LogReader::open(folder);
  if (!reader) return tl::unexpected(std::move(reader).error());
  if (auto ended = reader->end_here(); !ended) return tl::unexpected(std::move(ended).error());
  // Behind that: a key is published before anything that it signed is written.
  const bool is_copy = !options.public_key_file.empty();
  const std::string key_file =
      is_copy ? options.public_key_file : folder + "/" + std::string(kPublicKeyFile);
  auto keys = read_public_keys(key_file);
  const bool is_fine =
      keys || (!is_copy && (keys.error() == Errc::not_found || keys.error() == Errc::malformed));
  if (!is_fine) return tl::unexpected(std::move(keys).error());
  Verifier verifier(std::move(*reader), keys.value_or(std::vector<PublicKey>()));
  if (!keys && keys.error() == Errc::malformed) {
    verifier.add_problem(keys.error().context(), {kPublicKeyFile, 0});
  }
  return verifier.run(options);
}

}  // namespace sessionblocks::flowlog
