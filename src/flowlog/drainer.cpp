#include "flowlog/drainer.hpp"

#include <algorithm>
#include <bit>
#include <chrono>

#include "platform/clock.hpp"
#include "platform/thread_name.hpp"

namespace sessionblocks::flowlog {

namespace {
using std::chrono::microseconds;
constexpr microseconds kShortestNap{20};
constexpr microseconds kLongestNap{1'000};
// A batch below this waits for more, unless somebody asks: each costs a frame header.
constexpr std::uint64_t kSmallBatch = 512;
constexpr microseconds kPatience{8'000};  // that a small batch may wait at most
// While nothing comes: half of the smallest ring must be more than what comes during a nap.
constexpr microseconds kLongestIdleNap{10'000};
constexpr std::uint64_t kRecordsPerUs = 40;  // of the fastest worker

layout::LaneHead& head_of(std::span<std::byte> segment, unsigned lane, std::uint64_t records) {
  return *reinterpret_cast<layout::LaneHead*>(segment.data() + layout::lane_at(lane, records));
}
std::uint32_t lanes_used_of(std::span<std::byte> segment) {
  static_assert(layout::kLanes == 32, "a bit for each lane");
  // Acquire: pairs with the release of the thread that took a lane, behind what it wrote there.
  return reinterpret_cast<const layout::WorkerHeader*>(segment.data())
      ->lanes_used.load(std::memory_order_acquire);
}
const RingCell* ring_of(std::span<std::byte> segment, unsigned lane, std::uint64_t records) {
  return reinterpret_cast<const RingCell*>(segment.data() + layout::lane_at(lane, records) +
                                           layout::kLaneHeadBytes + layout::kLaneCounterBytes);
}
const layout::OpenCounters& counters_of(std::span<std::byte> segment, unsigned lane,
                                        std::uint64_t records, unsigned open) {
  return reinterpret_cast<const layout::OpenCounters*>(
      segment.data() + layout::lane_at(lane, records) + layout::kLaneHeadBytes)[open];
}
}  // namespace

Drainer::~Drainer() {
  stop();
}

void Drainer::start() {
  thread_ = std::thread([this] { run(); });
}

void Drainer::stop() {
  {
    const std::lock_guard lock(nap_lock_);
    stopping_ = true;
  }
  nap_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<void> Drainer::add_worker(WorkerId worker, std::span<std::byte> segment,
                                 std::uint64_t ring_records, const LogState& adopted) {
  constexpr std::uint64_t kMaxRingRecords = std::uint64_t{1} << 32U;
  const bool is_size_right = std::has_single_bit(ring_records) &&
                             ring_records >= layout::kMinRingRecords &&
                             ring_records <= kMaxRingRecords;
  if (!is_size_right || segment.size() < layout::worker_bytes(ring_records)) {
    return fail(Errc::invalid_argument, "rings of worker " + std::to_string(raw(worker)));
  }
  Worker added;
  added.opens = std::make_shared<OpenTable>(platform::monotonic_coarse_ms());
  added.segment = segment;
  added.ring_records = ring_records;
  for (const auto& [open, block] : adopted.opens) {
    if (open.first == raw(worker) && open.second < layout::kOpens) {
      added.opens->set(open.second, block);
    }
  }
  for (const auto& [open, counts] : adopted.counted) {
    if (open.first == raw(worker)) added.counted[open.second] = counts;
  }
  for (unsigned i = 0; i < layout::kLanes; ++i) {
    const auto start = adopted.next.find({raw(worker), static_cast<std::uint16_t>(i)});
    if (start != adopted.next.end()) added.starts[i] = start->second;
  }
  {
    const std::lock_guard lock(workers_lock_);
    if (!workers_.try_emplace(worker, std::move(added)).second) {
      return fail(Errc::exists, "worker " + std::to_string(raw(worker)));
    }
  }
  hurry();  // its rings may be smaller than the nap that is under way allows for
  return {};
}

bool Drainer::find_lanes(WorkerId id, Worker& worker) {
  // A worker can set any bit, for a lane without memory too: that costs it a page of its own
  // segment, at most one a lane. A bit that it clears again changes nothing.
  const auto known = static_cast<std::uint32_t>(worker.has_lane.to_ulong());
  std::uint32_t fresh = lanes_used_of(worker.segment) & ~known;
  const bool has_new = fresh != 0;
  for (; fresh != 0; fresh &= fresh - 1) {
    const auto i = static_cast<unsigned>(std::countr_zero(fresh));
    const AuditRingReader ring(head_of(worker.segment, i, worker.ring_records),
                               ring_of(worker.segment, i, worker.ring_records),
                               worker.ring_records);
    worker.lanes.push_back(std::make_shared<Lane>(LaneRef{raw(id), static_cast<std::uint16_t>(i)},
                                                  ring, worker.starts[i], worker.opens));
    worker.has_lane.set(i);
  }
  return has_new;
}

void Drainer::find_lanes() {
  const std::lock_guard lock(workers_lock_);
  idle_nap_ = kLongestIdleNap;
  for (auto& [id, worker] : workers_) {
    lanes_changed_ = find_lanes(id, worker) || lanes_changed_;
    idle_nap_ = std::min(idle_nap_, microseconds(worker.ring_records / 2 / kRecordsPerUs));
  }
  idle_nap_ = std::max(idle_nap_, kLongestNap);
  if (!std::exchange(lanes_changed_, false)) return;
  forget_drained();
  lanes_ = kept_;
  for (const auto& [id, worker] : workers_) {
    lanes_.insert(lanes_.end(), worker.lanes.begin(), worker.lanes.end());
  }
}

Result<void> Drainer::set_open(WorkerId worker, unsigned open, BlockRef block) {
  if (open >= layout::kOpens) return fail(Errc::invalid_argument, "open index");
  // A meaning that only the log has told is not drained for: the director knows better.
  const BlockRef old = told_open_of(worker, open);
  if (old.word != 0 && old != block) {
    if (auto drained = drain_fully(worker); !drained) return drained;
  }
  const std::lock_guard lock(workers_lock_);
  const auto at = workers_.find(worker);
  if (at == workers_.end()) return fail(Errc::not_found, "worker of an open block");
  if (old.word != 0 && old != block) {
    // What was counted under this index so far was the old block's.
    auto count = take_count(worker, at->second, static_cast<std::uint16_t>(open));
    if (count) writer_->add_note(std::move(*count));
  }
  at->second.opens->set(open, block);
  at->second.told.set(open);
  return {};
}

BlockRef Drainer::told_open_of(WorkerId worker, unsigned open) const {
  const std::lock_guard lock(workers_lock_);
  const auto at = workers_.find(worker);
  const bool is_told = at != workers_.end() && at->second.told.test(open);
  return is_told ? at->second.opens->get(open) : BlockRef{};
}

Result<void> Drainer::drain_fully(WorkerId worker) {
  std::vector<Target> targets;
  {
    const std::lock_guard lock(workers_lock_);
    const auto at = workers_.find(worker);
    if (at == workers_.end()) {
      return fail(Errc::not_found, "worker " + std::to_string(raw(worker)));
    }
    at->second.opens->settle();
    lanes_changed_ = find_lanes(worker, at->second) || lanes_changed_;
    for (const auto& lane : at->second.lanes) targets.push_back({lane, lane->published()});
  }
  if (targets.empty()) return {};
  if (!wait_for(targets)) return fail(Errc::io_error, "the log cannot be written");
  return {};
}

bool Drainer::take_used(WorkerId worker, unsigned open) {
  const std::lock_guard lock(workers_lock_);
  const auto at = workers_.find(worker);
  if (at == workers_.end() || open >= layout::kOpens) return true;
  return at->second.opens->take_used(open);
}

// The drain thread looks at everything now.
void Drainer::hurry() {
  {
    const std::lock_guard lock(nap_lock_);
    hurry_ = true;
  }
  nap_.notify_all();
}

bool Drainer::wait_for(const std::vector<Target>& targets) {
  hurry();
  return writer_->wait_until([&] {
    return std::all_of(targets.begin(), targets.end(), [](const Target& target) {
      return target.lane->is_forged() || target.lane->released() >= target.end;
    });
  });
}

void Drainer::leave_undrained(Lane& lane) {
  Note note;
  note.kind = NoteKind::undrained;
  note.worker = lane.ref().worker;
  note.lane = lane.ref().lane;
  note.number = lane.detach();
  if (note.number != 0) writer_->add_note(std::move(note));
}

void Drainer::remove_worker(WorkerId worker) {
  (void)drain_fully(worker);
  const std::lock_guard lock(workers_lock_);
  const auto at = workers_.find(worker);
  if (at == workers_.end()) return;
  forget_drained();
  std::uint64_t room = kMaxKeptCells;
  for (const auto& lane : kept_) room -= std::min(room, lane->published() - lane->released());
  for (const auto& lane : at->second.lanes) {
    const std::uint64_t end = lane->published();
    const bool has_room = end == UINT64_MAX || end - lane->released() <= room;
    if (!has_room || !writer_->waits_for_disk()) {
      leave_undrained(*lane);
    } else if (const std::uint64_t cells = lane->keep_rest(); cells != 0) {
      kept_.push_back(lane);
      room -= std::min(room, cells);
    }
  }
  // Out of the map under the same lock: nobody finds further lanes in memory that is about to go.
  workers_.erase(at);
  lanes_changed_ = true;
}

void Drainer::forget_drained() {
  std::erase_if(kept_, [](const auto& lane) { return lane->is_done(); });
}

void Drainer::drain_kept() {
  std::vector<Target> targets;
  {
    const std::lock_guard lock(workers_lock_);
    for (const auto& lane : kept_) targets.push_back({lane, lane->published()});
  }
  if (targets.empty() || wait_for(targets)) return;
  const std::lock_guard lock(workers_lock_);
  for (const auto& lane : kept_) leave_undrained(*lane);
}

std::optional<Note> Drainer::take_count(WorkerId id, Worker& worker, std::uint16_t open) {
  Note note;
  note.kind = NoteKind::counted;
  note.worker = raw(id);
  note.open = open;
  if (open != kLostOpen) note.block = worker.opens->get(open);
  for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
    if (!worker.has_lane.test(lane)) continue;
    if (open == kLostOpen) {
      const auto& head = head_of(worker.segment, lane, worker.ring_records);
      note.number += head.ring_lost.load(std::memory_order_relaxed);
    } else {
      const auto& counters = counters_of(worker.segment, lane, worker.ring_records, open);
      note.number += counters.reads.load(std::memory_order_relaxed);
      note.second += counters.writes.load(std::memory_order_relaxed);
    }
  }
  auto& [reads, writes] = worker.counted[open];
  // Counters that go back are a worker's lie about itself: then there is nothing to add.
  note.number -= std::min(note.number, std::exchange(reads, std::max(reads, note.number)));
  note.second -= std::min(note.second, std::exchange(writes, std::max(writes, note.second)));
  if (note.number == 0 && note.second == 0) return std::nullopt;
  return note;
}

std::vector<Note> Drainer::take_counts(WorkerId worker) {
  const std::lock_guard lock(workers_lock_);
  const auto at = workers_.find(worker);
  std::vector<Note> notes;
  if (at == workers_.end()) return notes;
  const auto take = [&](std::uint16_t open) {
    if (auto note = take_count(worker, at->second, open)) notes.push_back(std::move(*note));
  };
  take(kLostOpen);
  for (std::uint16_t open = 0; open < layout::kOpens; ++open) {
    if (at->second.opens->get(open).word != 0) take(open);
  }
  return notes;
}

void Drainer::learn_ahead(KeyBook& keys) {
  const std::lock_guard lock(workers_lock_);
  for (auto& [id, worker] : workers_) {
    lanes_changed_ = find_lanes(id, worker) || lanes_changed_;
    for (const auto& lane : worker.lanes) lane->learn_ahead(keys, scratch_);
  }
}

void Drainer::report_forged(const Lane& lane, std::uint64_t at, std::string_view why) {
  Note note;
  note.kind = NoteKind::lane_forged;
  note.worker = lane.ref().worker;
  note.lane = lane.ref().lane;
  note.number = at;
  note.text = why;
  writer_->add_note(note);
  writer_->announce_progress();
  if (auto* const tap = tap_.load(std::memory_order_acquire)) {
    tap->forged(static_cast<WorkerId>(lane.ref().worker));
  }
  if (events_) events_({LogEvent::Kind::lane_forged, lane.ref(), std::string(why)});
}

// Takes what the lane has now; what comes meanwhile waits for the next pass, so that a fast
// worker does not keep the others waiting.
void Drainer::drain_lane(const std::shared_ptr<Lane>& lane) {
  const std::uint64_t now_ms = platform::monotonic_coarse_ms();
  std::uint64_t left = lane->waiting(now_ms);
  while (left != 0) {
    if (spare_ == nullptr) spare_ = writer_->empty_batch();
    if (spare_ == nullptr) return;
    const Lane::Taken taken = lane->take(spare_->cells, now_ms);
    auto* const tap = tap_.load(std::memory_order_acquire);
    if (taken.cells != 0) {
      if (tap != nullptr) {
        tap->drained(static_cast<WorkerId>(lane->ref().worker),
                     std::span(spare_->cells).first(taken.cells), lane->opens());
      }
      spare_->lane = lane;
      spare_->first = taken.first;
      spare_->count = taken.cells;
      spare_->now_ms = now_ms;
      writer_->hand_over(std::exchange(spare_, nullptr));
      handed_over_ = true;
    }
    if (!taken.forged.empty()) {
      report_forged(*lane, taken.first + taken.cells, taken.forged);
    }
    if (taken.cells == 0 && taken.wanted > spare_->cells.size()) {
      spare_->cells.resize(static_cast<std::size_t>(taken.wanted));
      continue;
    }
    if (taken.cells == 0) return;
    left -= std::min<std::uint64_t>(left, taken.cells);
  }
}

unsigned Drainer::pass(bool take_all) {
  // A word of each worker's segment: with a thousand idle workers that is most of what we do.
  if (take_all) find_lanes();
  unsigned fullest = 0;
  handed_over_ = false;
  const std::uint64_t now_ms = platform::monotonic_coarse_ms();
  for (const auto& lane : lanes_) {
    const std::uint64_t waiting = lane->waiting(now_ms);
    if (waiting == 0) continue;
    fullest = std::max(fullest, static_cast<unsigned>(waiting * 16 / lane->capacity()) + 1);
    const bool is_small = waiting < std::min(kSmallBatch, lane->capacity() / 4);
    if (!is_small || take_all) drain_lane(lane);
  }
  if (handed_over_) writer_->wake();
  return fullest;
}

void Drainer::run() {
  platform::name_this_thread("log drain");
  microseconds nap = kShortestNap;
  microseconds waited{0};
  while (true) {
    bool take_all = false;
    bool is_last = false;
    {
      std::unique_lock lock(nap_lock_);
      nap_.wait_for(lock, nap, [this] { return hurry_ || stopping_; });
      take_all = std::exchange(hurry_, false);
      is_last = stopping_;
    }
    waited += nap;
    take_all = take_all || is_last || waited >= kPatience;
    const unsigned fullest = pass(take_all);
    if (take_all) waited = microseconds{0};
    if (is_last) break;
    // A quarter full: look as often as we can. Little: look less often, batches grow.
    nap = fullest > 4 ? kShortestNap : std::min(nap * 2, fullest > 0 ? kLongestNap : idle_nap_);
  }
}

}  // namespace sessionblocks::flowlog
