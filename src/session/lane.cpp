#include "session/lane.hpp"

#include "platform/poll.hpp"

#include <algorithm>
#include <string>

namespace sessionblocks {
namespace {

constexpr std::uint64_t kPresentStepCells = 256 * 1024 / sizeof(layout::AuditRecord);

}  // namespace

Result<Lane*> LaneSet::take() {
  const std::lock_guard lock(mutex_);
  for (unsigned number = 0; number < layout::kLanes; ++number) {
    if (lanes_[number]) continue;
    const std::uint64_t at = layout::lane_at(number, memory_.ring_records());
    const std::uint64_t head_bytes = layout::kLaneHeadBytes + layout::kLaneCounterBytes;
    if (auto there = mapping_->populate_write(at, head_bytes); !there) {
      return fail(Errc::out_of_memory, "no memory for a thread's lane in the worker segment");
    }
    layout::LaneHead& head = memory_.lane(number);
    auto lane = std::make_unique<Lane>(head, memory_.ring(number), memory_.ring_records(),
                                       memory_.counters(number), owner_of(worker_, number));
    head.thread_id.store(platform::current_thread_id(), std::memory_order_relaxed);
    head.state.store(static_cast<std::uint32_t>(layout::LaneState::taken),
                     std::memory_order_release);
    memory_.header().lanes_used.fetch_or(1U << number, std::memory_order_release);
    lanes_[number] = std::move(lane);
    return lanes_[number].get();
  }
  return fail(Errc::too_many, "a session has lanes for " + std::to_string(layout::kLanes) +
                                  " threads at once; end one or attach a second session");
}

void LaneSet::give_back_all() noexcept {
  for (auto& slot : lanes_) {
    if (slot) give_back(*slot);
  }
}

void LaneSet::give_back(Lane& lane) noexcept {
  const std::lock_guard lock(mutex_);
  for (auto& block : lane.blocks) {
    if (!block) continue;
    block->hazard.leave();
    if (block->writer) block->writer->leave();
    block.reset();
  }
  lane.head->state.store(static_cast<std::uint32_t>(layout::LaneState::free),
                         std::memory_order_release);
  for (auto& slot : lanes_) {
    if (slot.get() == &lane) slot.reset();
  }
}

bool LaneSet::is_inside(const BlockHandle& handle) noexcept {
  const std::lock_guard lock(mutex_);
  return std::any_of(lanes_.begin(), lanes_.end(), [&](const auto& lane) {
    return lane && lane->inside.load(std::memory_order_acquire) == &handle;
  });
}

void LaneSet::forget_block(std::uint16_t open) noexcept {
  const std::lock_guard lock(mutex_);
  for (auto& lane : lanes_) {
    if (!lane || !lane->blocks[open]) continue;
    lane->blocks[open]->hazard.leave();
    if (lane->blocks[open]->writer) lane->blocks[open]->writer->leave();
    lane->blocks[open].reset();
  }
}

Errc LaneSet::make_ring_present(Lane& lane, std::uint64_t cells) noexcept {
  const std::uint64_t capacity = memory_.ring_records();
  const unsigned number = raw(lane.owner) & 0xFFU;
  std::uint64_t present = lane.ring.present();
  while (present < capacity && present < lane.ring.place() + cells) {
    const std::uint64_t step = std::min(kPresentStepCells, capacity - present);
    const std::uint64_t at = memory_.ring_offset(number) + present * sizeof(layout::AuditRecord);
    if (!mapping_->populate_write(at, step * sizeof(layout::AuditRecord))) {
      if (present < cells) return Errc::out_of_memory;
      (void)lane.ring.begin_again();  // not drained: full, as far as the caller goes
      return Errc{};
    }
    present += step;
    lane.ring.set_present(present);
  }
  return Errc{};
}

}  // namespace sessionblocks
