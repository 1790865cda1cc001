// Registry: what it does in turns, without being asked. A turn looks after every block that changed
// since the last one, and after a part of the others.
#include <cstddef>

#include "director/registry.hpp"
#include "layout/block.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::director {
namespace {

using sessionblocks::BlockState;
using sessionblocks::Rights;

constexpr std::size_t kHoldingsOfTurn = 8;

// Another number when anything changed by which a block could need us: its tables, its pages, its
// pins. Whoever scribbles over them changes it as well.
std::uint64_t activity_of(const StoredBlock& block) noexcept {
  constexpr std::size_t kFirst = offsetof(layout::BlockHeader, snapshot_clock) / 8;
  constexpr std::size_t kEnd = offsetof(layout::BlockHeader, pins) / 8;
  const auto* words =
      reinterpret_cast<const std::atomic<std::uint64_t>*>(block.segment->memory().data());
  std::uint64_t activity = 0;
  for (std::size_t i = kFirst; i < kEnd; ++i) {
    activity = (activity ^ words[i].load(std::memory_order_relaxed)) * 0x9E37'79B9'7F4A'7C15U;
  }
  return activity;
}

}  // namespace

bool Registry::housekeep() {
  control.refresh_clocks();
  transitions.note_left_out();
  hear_of_damage();
  const std::uint64_t now = platform::boottime_ns() / 1'000'000;
  std::vector<BlockId> ended;
  std::vector<BlockId> idled;
  bool busy = false;
  block_turns_.begin(blocks.all().size());
  for (auto& [id, block] : blocks.all()) {
    const bool has_turn = block_turns_.next();
    if (block.ends_at_ms != 0 && block.ends_at_ms <= now) ended.push_back(id);
    if (has_idled_away(block, now)) idled.push_back(id);
    name_heir(block);
    // What a holder that was stopped meanwhile wrote into its old mapping.
    if (has_turn && block.state == BlockState::wiped) static_cast<void>(states.discard(block));
    if (!block.is_maintained()) continue;
    if (has_turn || block.is_suspect || block.is_unfinished ||
        activity_of(block) != block.activity) {
      busy = look_after(block) || busy;
    }
  }
  worker_turns_.begin(workers.all().size());
  for (const auto& [id, worker] : workers.all()) {
    if (!worker_turns_.next() || !worker.segment) continue;
    cut_back(*worker.segment, "worker " + std::to_string(raw(id)));
  }
  holdings.sweep(kHoldingsOfTurn);
  for (const BlockId id : ended) end_of_life(id, "its lifespan has passed");
  for (const BlockId id : idled) end_of_life(id, "nobody has used it for its idle time");
  return busy;
}

bool Registry::look_after(StoredBlock& block) {
  block.activity = activity_of(block);  // first: what happens meanwhile is seen in the next turn
  bool busy = examine(block);
  if (!block.is_maintained()) return busy;
  const std::uint64_t before = block.reserved_bytes();
  // Full: workers see the bound that stands and answer out_of_memory; asked again next time.
  const bool is_reserved = block.is_denied_growth || blocks.reserve_ahead(block).has_value();
  busy = busy || block.reserved_bytes() != before;
  block.excess_bytes += cut_back(*block.segment, "block " + block.policy.name);
  block.excess_bytes += cut_back(*block.readers, "readers of block " + block.policy.name);
  restore_mode(block);
  if (Worker* own = own_lane()) busy = maintain(block, *own) || busy;
  block.is_unfinished = busy || !is_reserved;
  return busy;
}

// The kernel lets the holder of a read-write descriptor write past the end of the file. Nobody else
// ever looks there, but it takes memory that no quota counts.
std::uint64_t Registry::cut_back(const SegmentFile& segment, const std::string& whose) {
  const std::uint64_t bytes = segment.cut_back();
  if (bytes == 0) return 0;
  say(EventKind::denied, whose, "its segment was " + std::to_string(bytes) + " bytes too long");
  return bytes;
}

// A holder of a descriptor that has the owner's uid can let others in.
void Registry::restore_mode(StoredBlock& block) {
  for (const auto& segment : {block.segment, block.readers}) {
    if (segment->has_own_mode()) continue;
    static_cast<void>(segment->restore_mode());
    ++block.mode_changes;
    say(EventKind::denied, block.text(), "the mode of its segment was changed; it is put back");
  }
}

// The block is open as 0 in our own worker segment while we work on it: that is what a successor
// needs to finish what we leave half done.
bool Registry::maintain(StoredBlock& block, Worker& own) {
  const std::uint64_t word = (std::uint64_t{raw(block.generation)} << 32U) | raw(block.id);
  auto& named = own.header()->opens[0];
  if (named.load(std::memory_order_relaxed) != word) named.store(word, std::memory_order_release);
  own.opens[0] = OpenedBlock{block.id, block.generation, Rights::read_write, true};
  const auto holders = workers.holders(block.id, block.generation);
  const bool did = options.data_plane->maintain(block.memory(), own.memory(), holders);
  own.opens.erase(0);
  return did;
}

}  // namespace sessionblocks::director
