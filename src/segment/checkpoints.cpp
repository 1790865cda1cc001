#include "segment/checkpoints.hpp"

#include <algorithm>

#include "core/crash_point.hpp"
#include "lockfree/cas16.hpp"
#include "segment/chain.hpp"
#include "segment/waiters.hpp"

namespace sessionblocks::segment {

using layout::SideKind;
using layout::SlotRef;

// A version that no pin needs, and the one before it in the chain.
struct Surplus {
  SlotView head;
  Version newer;
  Version version;
};

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
// Versions looked at for each slot, at most 56 where nobody scribbled. What is left is done in the
// next turn: chains that lead in circles shall not keep the director.
constexpr std::uint64_t kMostWorkPerSlot = 64;

// False: no pin is free.
[[nodiscard]] std::atomic<std::uint64_t>* free_pin(layout::BlockHeader& header) noexcept {
  for (auto& pin : header.pins) {
    if (pin.load(kRelaxed) == 0) return &pin;
  }
  return nullptr;
}

}  // namespace

Result<std::uint64_t> Checkpoints::take(std::span<const IntentSource> workers) {
  auto& header = memory_->header();
  auto* pin = free_pin(header);
  if (pin == nullptr) {
    return fail(Errc::too_many, "a block holds at most " + std::to_string(layout::kMaxPins) +
                                    " checkpoints at once; release one");
  }
  if (header.snapshot_clock.load(kRelaxed) >= layout::kMaxInstant) {
    return fail(Errc::too_many, "a block is given at most " + std::to_string(layout::kMaxInstant) +
                                    " checkpoints in its life; fork it");
  }
  // The pin before the instant: a writer that stamps with a later one sees it (Writer::link_for).
  pin->store(layout::kPinTaking, std::memory_order_release);
  header.pin_count.fetch_add(1, std::memory_order_acq_rel);
  SESSIONBLOCKS_CRASH("checkpoint.pinned");
  const std::uint64_t instant = header.snapshot_clock.fetch_add(1, std::memory_order_acq_rel);
  SESSIONBLOCKS_CRASH("checkpoint.drawn");
  pin->store(instant, std::memory_order_release);
  SESSIONBLOCKS_CRASH("checkpoint.before_settle");
  // Nothing stamped with the instant or before it can commit after this: the checkpoint is fixed.
  if (auto settled = settle(*memory_, workers); !settled) {
    unpin(*pin);
    return tl::unexpected(settled.error());
  }
  return instant;
}

void Checkpoints::unpin(std::atomic<std::uint64_t>& pin) noexcept {
  pin.store(0, std::memory_order_release);
  memory_->header().pin_count.fetch_sub(1, std::memory_order_acq_rel);
  is_due_ = true;
}

Result<void> Checkpoints::release(std::uint64_t instant, std::span<const IntentSource> workers) {
  for (auto& pin : memory_->header().pins) {
    if (pin.load(kRelaxed) != instant) continue;
    unpin(pin);
    break;
  }
  SESSIONBLOCKS_CRASH("checkpoint.unpinned");
  // A writer that still keeps a version for this pin fails, so that trim() finds all of them.
  return settle(*memory_, workers);
}

Result<void> Checkpoints::keep_only(std::span<const std::uint64_t> instants,
                                    std::span<const IntentSource> workers) {
  auto& header = memory_->header();
  const auto is_held = [](const auto& pin) { return pin.load(kRelaxed) != 0; };
  // A death between a pin and its count left them apart. Never less than there are pins: a writer
  // that reads 0 keeps nothing.
  const auto held = std::count_if(std::begin(header.pins), std::end(header.pins), is_held);
  header.pin_count.store(static_cast<std::uint64_t>(held), std::memory_order_release);
  for (auto& pin : header.pins) {
    const auto known = std::find(instants.begin(), instants.end(), pin.load(kRelaxed));
    if (is_held(pin) && known == instants.end()) unpin(pin);
    SESSIONBLOCKS_CRASH("checkpoint.keep");
  }
  return settle(*memory_, workers);
}

bool Checkpoints::trim() {
  if (!is_due_) return false;
  Tables tables;
  if (!load_tables(*memory_, tables) || tables.is_growing()) return true;
  bool later = false;
  work_left_ = kMostTries + (tables.current_view.mask + 1) * kMostWorkPerSlot;
  for (std::uint64_t index = 0; index <= tables.current_view.mask; ++index) {
    Step step = Step::again;
    while (step == Step::again && work_left_ > 0) {
      --work_left_;
      step = trim_slot(tables.current, tables.current_view.slots[index], index);
    }
    later = later || step != Step::clean;
  }
  is_due_ = later || !same_tables(*memory_, tables);
  return true;
}

Checkpoints::Step Checkpoints::trim_slot(const layout::TableWord& word, layout::Slot& slot,
                                         std::uint64_t index) {
  Surplus found;
  SlotView& head = found.head;
  head.slot = &slot;
  head.ver = slot.high.load(std::memory_order_acquire);
  head.ref.word = slot.low.load(std::memory_order_acquire);
  if (head.ref.word == layout::kEmptyRef) return Step::clean;
  if (!head.ref.holds_node() || head.ref.mark() != layout::Mark::live) return Step::later;
  head.node = memory_->node(head.ref.offset());
  if (head.node == nullptr) return Step::clean;  // scribbled over: fsck names it
  head.gen = head.node->gen.load(std::memory_order_acquire);
  head.shape = layout::Shape::unpack(head.node->shape.load(kRelaxed));
  if (!head.shape.linked) return detail::unchanged(head) ? Step::clean : Step::again;
  // Its link is about to be swapped: where no chunk begins it need not even be aligned for that.
  if (memory_->authentic_gen(head.ref.offset()) != head.gen) {
    return detail::unchanged(head) ? Step::clean : Step::again;
  }

  found.newer = first_version(*memory_, head);
  for (; work_left_ > 0; --work_left_) {
    if (follow(*memory_, found.newer.link, found.version) != Chain::version) break;
    if (!is_pinned(memory_->header(), found.version.stamp.instant, found.newer.stamp.instant)) {
      if (!detail::unchanged(head)) return Step::again;
      take_out(word, slot, index, found);
      return Step::again;
    }
    found.newer = found.version;
  }
  return detail::unchanged(head) ? Step::clean : Step::again;
}

// Splice, bump, free. The bump fails every writer that copied the link before the splice. When it
// fails itself, another writer put a node in front: with the old link in it, then the version is on
// the chain still, and the next look at the slot takes it out there; or without, then it is ours.
void Checkpoints::take_out(const layout::TableWord& word, layout::Slot& slot, std::uint64_t index,
                           Surplus& surplus) {
  const Version& version = surplus.version;
  auto& side = heap_->side();
  side.open.store(heap_->open(), kRelaxed);
  side.table.store(word.word, kRelaxed);
  side.slot.store(index, kRelaxed);
  side.old.store(version.offset, kRelaxed);
  side.old_gen.store(version.gen, kRelaxed);
  side.kind.store(static_cast<std::uint64_t>(SideKind::trim), std::memory_order_release);
  SESSIONBLOCKS_CRASH("trim.armed");
  // Only the director changes a link, so that this fails for what someone scribbled.
  compare_and_swap(link_of(*surplus.newer.node), {version.offset, version.gen},
                   {version.link.previous, version.link.gen});
  SESSIONBLOCKS_CRASH("trim.spliced");
  const Pair seen{surplus.head.ref.word, surplus.head.ver};
  const bool bumped = compare_and_swap(slot, seen, {seen.low, seen.high + 1});
  if (bumped) wake_slot(*readers_, slot, index);
  SESSIONBLOCKS_CRASH("trim.bumped");
  if (bumped || !is_reachable(*memory_, version.offset)) {
    heap_->free_node(version.offset, version.gen);
  }
  side.kind.store(0, std::memory_order_release);
}

}  // namespace sessionblocks::segment
