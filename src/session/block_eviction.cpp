// BlockHandle: how a write into a full block goes on where its policy is to take entries out.
#include "session/block_operation.hpp"

#include "platform/clock.hpp"
#include "session/nap.hpp"

namespace sessionblocks {

namespace {

// For the director to give back the index table of the last rebuild, should it be the one thing
// that is missing: one that lives does within a turn. Who waited in vain does not wait again soon.
constexpr std::uint64_t kLongestWaitForTableMs = 2'000;
constexpr std::uint64_t kWaitAgainAfterMs = 10'000;

}  // namespace

segment::Evictor& BlockHandle::evictor_of(Lane& lane) {
  LaneBlock& block = lane_block(lane);
  if (!block.evictor) {
    block.evictor = std::make_unique<segment::Evictor>(place_of(lane), *block.writer);
  }
  return *block.evictor;
}

void BlockHandle::write_by_evicting(Lane& lane, const segment::KeyView& key,
                                    const segment::Mutation& mutation, bool record,
                                    std::uint64_t now_ms, segment::Outcome& outcome) {
  constexpr int kMostRounds = 64;
  const std::uint64_t value_cells = cells_for_value(mutation, outcome.code);
  const std::uint64_t cells =
      segment::Writer::cells_needed(key.size) + value_cells + segment::Evictor::kCells;
  const std::uint64_t waits_from = waits_for_table_from_ms_.load(std::memory_order_relaxed);
  const std::uint64_t until = now_ms < waits_from ? 0 : now_ms + kLongestWaitForTableMs;
  segment::Evictor& evictor = evictor_of(lane);
  Naps naps;
  for (int round = 0; outcome.code == Errc::out_of_memory && round < kMostRounds;) {
    const Errc room = records(true) ? make_room(lane, cells) : Errc{};
    if (room != Errc{}) return static_cast<void>(outcome.code = room);
    const bool is_heard = records(true) && lane.ring.has_room(cells);
    const auto made = evictor.make_room({outcome.wanted_bytes, active_, is_heard, now_ms});
    if (!is_heard) count_evicted(lane, made.evicted);
    if (!made.is_made) break;
    const bool waits_for_table = made.evicted == 0 && outcome.wanted_bytes == 0;
    if (waits_for_table && platform::monotonic_coarse_ms() > until) {
      waits_for_table_from_ms_.store(now_ms + kWaitAgainAfterMs, std::memory_order_relaxed);
      break;
    }
    if (waits_for_table) naps.take_one();
    if (!waits_for_table) ++round;
    apply(writer_of(lane), key, mutation, record, now_ms, outcome);
  }
  if (outcome.code != Errc::out_of_memory) return;
  // As in Writer: memory that was emptied under the operation has no room.
  if (const Errc state = check_state(true); state != Errc{}) {
    outcome.code = state;
  } else if (record) {
    writer_of(lane).record_full(key, mutation, now_ms);
  }
}

// Evictions without a record.
void BlockHandle::count_evicted(Lane& lane, std::size_t number) noexcept {
  if (!records(true)) return count_writes(lane, number);
  auto& lost = lane.head->ring_lost;
  lost.store(lost.load(std::memory_order_relaxed) + number, std::memory_order_relaxed);
}

}  // namespace sessionblocks
