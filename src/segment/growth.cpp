// Growth: moving the slots of an index to the next table. What begins it stands in
// growth_begin.cpp.
#include "segment/growth.hpp"

#include "core/crash_point.hpp"
#include "lockfree/cas16.hpp"
#include "segment/chain.hpp"
#include "segment/waiters.hpp"

#include <array>
#include <bit>

namespace sessionblocks::segment {

using layout::kClosedRef;
using layout::kEmptyRef;
using layout::Mark;
using layout::Node;
using layout::NodeState;
using layout::SideKind;
using layout::SlotRef;
using layout::TableWord;

namespace {

constexpr std::uint64_t kBatch = 16;  // slots that one writer moves besides its own key's
// Slots looked at for each slot that is moved: 2 or 3, unless someone made the probes long on
// purpose. Nobody shall move slots for minutes, the director least of all.
constexpr std::uint64_t kMostWorkPerSlot = 64;

// Words that count for one growth only carry the id of the table that it empties.
[[nodiscard]] std::uint64_t tagged(TableWord old, std::uint64_t count) noexcept {
  return (std::uint64_t{old.id()} << 32U) | count;
}

// Adds one to a tagged word; what it was before, or `limit` when the growth is another's or done.
std::uint64_t next_of(std::atomic<std::uint64_t>& word, TableWord old, std::uint64_t limit) {
  std::uint64_t seen = word.load(std::memory_order_relaxed);
  for (;;) {
    const auto id = static_cast<std::uint32_t>(seen >> 32U);
    if (id > old.id()) return limit;
    const std::uint64_t count = id == old.id() ? seen & 0xFFFF'FFFFU : 0;
    if (count >= limit) return limit;
    // acq_rel: whoever counts the last batch sees the slots that the others finalised.
    if (word.compare_exchange_weak(seen, tagged(old, count + 1), std::memory_order_acq_rel)) {
      return count;
    }
  }
}

[[nodiscard]] std::uint64_t batches_of(TableWord table) noexcept {
  return table.slots() / kBatch;
}

}  // namespace

// A table that is no larger than the old one can take a new key only for a tombstone that was not
// moved: else what is still in the old one would never find a place, and could not be erased.
bool Growth::has_room_for_new(const Tables& tables) const noexcept {
  constexpr std::uint64_t kInsertsAtOnce = 64;  // that look before the others are counted
  if (tables.current.slots() > tables.old.slots()) return true;  // after_insert sees to it
  const std::uint64_t moved = memory_->header().moved_batches.load(std::memory_order_acquire);
  if (static_cast<std::uint32_t>(moved >> 32U) != tables.old.id()) return false;
  const std::uint64_t claimed = memory_->header().claimed_slots.load(std::memory_order_relaxed);
  return claimed + kInsertsAtOnce <= (moved & 0xFFFF'FFFFU) * kBatch;
}

bool Growth::make_room_for_new(const Tables& tables) {
  const std::uint64_t cursor = memory_->header().move_cursor.load(std::memory_order_relaxed);
  if (cursor == tagged(tables.old, batches_of(tables.old))) return finish();
  if (!arm(tables)) return true;
  work_left_ = kMostTries;
  move_batch(tables);
  disarm();
  return true;
}

bool Growth::arm(const Tables& tables) {
  auto& side = heap_->side();
  side.open.store(heap_->open(), std::memory_order_relaxed);
  side.table.store(tables.old.word, std::memory_order_relaxed);
  side.kind.store(static_cast<std::uint64_t>(SideKind::move), std::memory_order_release);
  // The director's membarrier stands between this store and the load: after it changed old_table
  // it sees the intent, or we see the change.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (same_tables(*memory_, tables)) return true;
  disarm();
  return false;
}

void Growth::disarm() noexcept {
  heap_->side().kind.store(0, std::memory_order_release);
}

bool Growth::bring(const Tables& tables, const KeyView& key) {
  if (!arm(tables)) return false;
  work_left_ = kMostTries;
  SlotView view;
  const ProbeResult result =
      probe(*memory_, tables.old_view, key, &heap_->hazard(), view, [](const SlotView&) {});
  bool brought = true;
  switch (result.end) {
    case ProbeEnd::hit:
    case ProbeEnd::empty:
      brought = finalise(tables, view.index);
      break;
    case ProbeEnd::closed:
    case ProbeEnd::full:
      break;
    default:
      brought = false;
  }
  // An empty slot that another key claimed before we could close it: the key may be behind it.
  if (brought && result.end == ProbeEnd::empty) {
    brought = tables.old_view.slots[view.index].low.load(std::memory_order_acquire) == kClosedRef;
  }
  if (brought) move_batch(tables);
  disarm();
  return brought;
}

void Growth::move_batch(const Tables& tables) {
  const std::uint64_t batches = batches_of(tables.old);
  const std::uint64_t batch = next_of(memory_->header().move_cursor, tables.old, batches);
  if (batch >= batches) return;
  for (std::uint64_t i = 0; i < kBatch; ++i) {
    if (!finalise(tables, batch * kBatch + i)) return;  // finish() will come by again
  }
  SESSIONBLOCKS_CRASH("growth.batch_moved");
  count_batch(tables);
}

void Growth::count_batch(const Tables& tables) {
  const std::uint64_t batches = batches_of(tables.old);
  const std::uint64_t before = next_of(memory_->header().moved_batches, tables.old, batches);
  if (before + 1 == batches) end(tables);
}

void Growth::end(const Tables& tables) {
  std::uint64_t old = tables.old.word;
  SESSIONBLOCKS_CRASH("growth.before_end");
  memory_->header().old_table.compare_exchange_strong(
      old, TableWord::idle(tables.current.id()).word, std::memory_order_acq_rel);
}

bool Growth::finish() {
  help_begin(*memory_);
  Tables tables;
  if (!load_tables(*memory_, tables)) return false;
  // Other tables by now: somebody else has finished this growth.
  if (!tables.is_growing() || !arm(tables)) return true;
  work_left_ = kMostTries + tables.old.slots() * kMostWorkPerSlot;
  bool finished = true;
  for (std::uint64_t i = 0; i < tables.old.slots() && finished; ++i) finished = finalise(tables, i);
  if (finished) end(tables);
  disarm();
  return finished || !same_tables(*memory_, tables);
}

bool Growth::finalise(const Tables& tables, std::uint64_t index) {
  for (; work_left_ > 0; --work_left_) {
    const Step step = advance_slot(tables, index);
    if (step != Step::again) return step == Step::final;
  }
  return false;
}

Growth::Step Growth::advance_slot(const Tables& tables, std::uint64_t index) {
  layout::Slot& slot = tables.old_view.slots[index];
  Pair seen{};
  seen.high = slot.high.load(std::memory_order_acquire);
  seen.low = slot.low.load(std::memory_order_acquire);
  const SlotRef ref{seen.low};
  if (seen.low == kEmptyRef) {
    compare_and_swap(slot, seen, {kClosedRef, seen.high + 1});
    wake_slot(*readers_, slot, index);
    return Step::again;
  }
  if (ref.mark() == Mark::frozen) return move_node(tables, index, seen);
  if (ref.mark() != Mark::live) return Step::final;
  Node* node = memory_->node(ref.offset());
  if (node == nullptr) return Step::stuck;
  const layout::Gen gen = node->gen.load(std::memory_order_acquire);
  const auto shape = layout::Shape::unpack(node->shape.load(std::memory_order_relaxed));
  const bool linked = shape.linked && load_link(*memory_, ref.offset()).previous != 0;
  std::atomic_thread_fence(std::memory_order_acquire);
  if (slot.high.load(std::memory_order_relaxed) != seen.high) return Step::again;
  const bool pinned = linked || memory_->header().pin_count.load(std::memory_order_acquire) != 0;
  if (shape.type == layout::ValueType::tombstone && !pinned) return drop(tables, index, seen, gen);
  SESSIONBLOCKS_CRASH("growth.before_frozen");
  compare_and_swap(slot, seen, {ref.with(Mark::frozen).word, seen.high + 1});
  return Step::again;
}

Growth::Step Growth::drop(const Tables& tables, std::uint64_t index, Pair seen, layout::Gen gen) {
  layout::Slot& slot = tables.old_view.slots[index];
  const SlotRef ref{seen.low};
  Node* node = memory_->node(ref.offset());
  // A key that comes back must not repeat a version, and nobody remembers this one's after it.
  const std::uint64_t above = node->version.load(std::memory_order_relaxed) + 1;
  raise_version_floor(memory_->header(), above);
  // Whoever takes a node off its slot first makes sure that it counts as committed.
  mark_committed(*node, gen);
  const Pair mine{ref.dropped_by(owner_).word, seen.high + 1};
  auto& side = heap_->side();
  side.slot.store(index, std::memory_order_relaxed);
  side.old.store(ref.offset(), std::memory_order_relaxed);
  side.old_gen.store(gen, std::memory_order_relaxed);
  side.mine.store(mine.low, std::memory_order_relaxed);
  side.kind.store(static_cast<std::uint64_t>(SideKind::drop), std::memory_order_release);
  SESSIONBLOCKS_CRASH("growth.before_drop");
  if (compare_and_swap(slot, seen, mine)) {
    SESSIONBLOCKS_CRASH("growth.dropped");
    wake_slot(*readers_, slot, index);
    heap_->free_node(ref.offset(), gen);
  }
  side.kind.store(static_cast<std::uint64_t>(SideKind::move), std::memory_order_release);
  return Step::again;
}

Growth::Step Growth::move_node(const Tables& tables, std::uint64_t index, Pair frozen) {
  layout::Slot& slot = tables.old_view.slots[index];
  if (!copy_into_next(tables, slot, frozen)) {
    const bool still = slot.high.load(std::memory_order_acquire) == frozen.high;
    return still ? Step::stuck : Step::again;
  }
  SESSIONBLOCKS_CRASH("growth.copied");
  if (compare_and_swap(slot, frozen,
                       {SlotRef{frozen.low}.with(Mark::moved).word, frozen.high + 1})) {
    wake_slot(*readers_, slot, index);
  }
  return Step::again;
}

// True when T2 has a slot for the key of the frozen node.
bool Growth::copy_into_next(const Tables& tables, const layout::Slot& from, Pair frozen) {
  const SlotRef ref{frozen.low};
  Node* node = memory_->node(ref.offset());
  if (node == nullptr) return false;
  const auto shape = layout::Shape::unpack(node->shape.load(std::memory_order_relaxed));
  const std::uint64_t hash = node->hash.load(std::memory_order_relaxed);
  if (shape.key_bytes == 0 || shape.key_bytes > layout::kMaxKeyBytes) return false;
  if (!memory_->holds(ref.offset(), shape.node_bytes())) return false;
  std::array<std::byte, layout::kMaxKeyBytes> key_bytes;
  copy_out(key_bytes.data(), reinterpret_cast<const std::byte*>(node) + shape.key_at(),
           shape.key_bytes);
  SESSIONBLOCKS_CRASH("growth.key_read");
  const auto still_frozen = [&] {
    std::atomic_thread_fence(std::memory_order_acquire);
    return from.low.load(std::memory_order_relaxed) == frozen.low &&
           from.high.load(std::memory_order_relaxed) == frozen.high;
  };
  if (!still_frozen()) return false;
  const KeyView key{key_bytes.data(), shape.key_bytes, hash};
  for (int tries = 0; tries < kMostTries; ++tries) {
    SlotView view;
    const ProbeResult result =
        probe(*memory_, tables.current_view, key, nullptr, view, [](const SlotView&) {});
    const std::uint64_t length = (view.index - hash) & tables.current_view.mask;
    work_left_ -= std::min(work_left_, length);
    if (result.end == ProbeEnd::hit) return true;
    if (result.end != ProbeEnd::empty) return false;
    // Looked at last: a helper that slept must not put back what has since been erased.
    if (!still_frozen()) return false;
    SESSIONBLOCKS_CRASH("growth.before_copy");
    if (compare_and_swap(*view.slot, {kEmptyRef, view.ver},
                         {ref.with(Mark::live).word, view.ver + 1})) {
      memory_->header().claimed_slots.fetch_add(1, std::memory_order_relaxed);
      wake_slot(*readers_, *view.slot, view.index);
      return true;
    }
  }
  return false;
}

}  // namespace sessionblocks::segment
