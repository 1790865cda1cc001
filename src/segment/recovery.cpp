#include "segment/recovery.hpp"

#include "core/crash_point.hpp"
#include "core/words.hpp"
#include "lockfree/audit_ring.hpp"
#include "lockfree/cas16.hpp"
#include "segment/chain.hpp"
#include "segment/thread_heap.hpp"
#include "segment/waiters.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace sessionblocks::segment {

using layout::Gen;
using layout::incarnation_of;
using layout::Intent;
using layout::LaneHead;
using layout::make_gen;
using layout::Node;
using layout::NodeState;
using layout::PageEntry;
using layout::PageKind;
using layout::SideKind;
using layout::SlotRef;
using layout::state_of;
using layout::TableWord;

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;  // the writer of these words is dead

// One lane of the dead worker in one block.
class LaneRecovery {
 public:
  LaneRecovery(const WorkerMemory& worker, unsigned lane, OwnerId owner,
               const RecoveredBlock& block, RecoveryReport& report)
      : worker_(worker),
        lane_(lane),
        head_(worker.lane(lane)),
        owner_(owner),
        block_(block),
        memory_(*block.memory),
        report_(report) {}

  void side();
  void main();

 private:
  [[nodiscard]] layout::Slot* slot_of(std::uint64_t table, std::uint64_t index) const;
  [[nodiscard]] std::optional<Gen> gen_of(std::uint64_t offset) const;
  [[nodiscard]] bool committed(const Intent& intent, std::uint64_t fresh, Gen gen) const;
  [[nodiscard]] bool same_key(std::uint64_t left, std::uint64_t right) const;
  [[nodiscard]] bool is_head_of_run(std::uint64_t offset) const;
  [[nodiscard]] bool has_moved_on(std::uint64_t old) const;
  [[nodiscard]] bool displaced(const Intent& intent, std::uint64_t fresh, Gen gen,
                               std::uint64_t old) const;
  void complete(const Intent& intent, std::uint64_t fresh, Gen gen);
  void complete_eviction(const Intent& intent);
  void record_and_wake(const Intent& intent);
  [[nodiscard]] bool is_here(std::uint64_t offset, Gen gen) const {
    const auto seen = gen_of(offset);
    return seen && incarnation_of(*seen) == incarnation_of(gen);
  }
  void decide(const Intent& intent, std::uint64_t fresh, Gen gen);
  void undo(std::uint64_t fresh, Gen gen);
  void free_by_gen(std::uint64_t offset, Gen gen);
  void finish_trim(std::uint64_t old);
  void hint(std::uint64_t offset);
  void publish_record(const Intent& intent);

  const WorkerMemory& worker_;
  unsigned lane_;
  LaneHead& head_;
  OwnerId owner_;
  const RecoveredBlock& block_;
  BlockMemory& memory_;
  RecoveryReport& report_;
};

layout::Slot* LaneRecovery::slot_of(std::uint64_t table, std::uint64_t index) const {
  const auto view = memory_.table(TableWord{table});
  if (!view || index > view->mask) return nullptr;
  return memory_.is_table_page(view->word) ? &view->slots[index] : nullptr;
}

// No answer means that no node begins there, not only that a living worker adopted the page while
// we looked: what we leave now nobody comes back to.
std::optional<Gen> LaneRecovery::gen_of(std::uint64_t offset) const {
  constexpr int kChangesOfOwner = 1'000;
  for (int i = 0; i < kChangesOfOwner; ++i) {
    if (const auto gen = memory_.authentic_gen(offset)) return gen;
    if (memory_.node(offset) == nullptr) return std::nullopt;
    const auto entry = memory_.descriptor(memory_.page_of(offset)).entry.load(kRelaxed);
    if (memory_.chunk_bytes(PageEntry::unpack(entry), offset) == 0) return std::nullopt;
  }
  return std::nullopt;
}

void LaneRecovery::hint(std::uint64_t offset) {
  auto& descriptor = memory_.descriptor(memory_.page_of(offset));
  const std::uint64_t bytes =
      memory_.chunk_bytes(PageEntry::unpack(descriptor.entry.load(kRelaxed)), offset);
  if (bytes == 0) return;
  const std::uint64_t chunk =
      (offset - memory_.geometry().page_at(memory_.page_of(offset))) / bytes;
  descriptor.freed_hints[chunk / 64].fetch_or(std::uint64_t{1} << (chunk % 64),
                                              std::memory_order_release);
}

// Frees a node that the dead thread's compare-and-swap took off its chain, unless it got to that.
void LaneRecovery::free_by_gen(std::uint64_t offset, Gen gen) {
  if (offset == 0) return;
  const auto seen = gen_of(offset);
  if (!seen || incarnation_of(*seen) != incarnation_of(gen)) return;  // reused: it was done
  if (state_of(*seen) == NodeState::in_use) {
    SESSIONBLOCKS_CRASH("recovery.before_freed");
    memory_.node(offset)->gen.store(make_gen(incarnation_of(gen), NodeState::freed),
                                    std::memory_order_release);
  }
  if (state_of(*seen) != NodeState::collected) hint(offset);
}

void LaneRecovery::side() {
  auto& side = head_.side;
  const auto kind = static_cast<SideKind>(side.kind.load(std::memory_order_acquire));
  if (kind == SideKind::none || side.open.load(kRelaxed) != block_.open) return;
  const std::uint64_t old = side.old.load(kRelaxed);
  const std::uint64_t mine = side.mine.load(kRelaxed);
  if (kind == SideKind::drop) {
    const layout::Slot* slot = slot_of(side.table.load(kRelaxed), side.slot.load(kRelaxed));
    // The dropped ref carries this lane's id, so that it shows who won.
    if (slot != nullptr && slot->low.load(std::memory_order_acquire) == mine &&
        SlotRef{mine}.is_dropped_by(owner_) && !is_reachable(memory_, old)) {
      free_by_gen(old, side.old_gen.load(kRelaxed));
    }
  } else if (kind == SideKind::trim) {
    finish_trim(old);
  } else if (kind == SideKind::return_run) {
    const auto gen = gen_of(old);
    const bool won = gen && *gen == mine;
    if (won && state_of(mine) == NodeState::collected && is_head_of_run(old) &&
        !is_reachable(memory_, old)) {
      SESSIONBLOCKS_CRASH("recovery.before_run");
      PagePool(memory_, owner_).return_run(memory_.page_of(old));
    } else if (won) {
      ++report_.forged;  // who wins a run makes it collected first
    }
  } else if (kind != SideKind::move) {
    ++report_.forged;
  }
  side.kind.store(0, std::memory_order_release);
}

// A director died while it took a version out of a chain. The bump fails every writer that copied
// the link to it before; if one did so in time the version is on a chain still, and stays for the
// next director to take out.
void LaneRecovery::finish_trim(std::uint64_t old) {
  auto& side = head_.side;
  if (auto* slot = slot_of(side.table.load(kRelaxed), side.slot.load(kRelaxed))) {
    Pair seen{};
    seen.high = slot->high.load(std::memory_order_acquire);
    seen.low = slot->low.load(std::memory_order_acquire);
    compare_and_swap(*slot, seen, {seen.low, seen.high + 1});
  }
  SESSIONBLOCKS_CRASH("recovery.trim_bumped");
  if (!is_reachable(memory_, old)) free_by_gen(old, side.old_gen.load(kRelaxed));
}

bool LaneRecovery::same_key(std::uint64_t left, std::uint64_t right) const {
  const Node* a = memory_.node(left);
  const Node* b = memory_.node(right);
  if (a == nullptr || b == nullptr) return false;
  const auto shape_a = layout::Shape::unpack(a->shape.load(kRelaxed));
  const auto shape_b = layout::Shape::unpack(b->shape.load(kRelaxed));
  if (shape_a.key_bytes != shape_b.key_bytes || shape_a.key_bytes > layout::kMaxKeyBytes ||
      !memory_.holds(left, shape_a.node_bytes()) || !memory_.holds(right, shape_b.node_bytes())) {
    return false;
  }
  std::array<std::byte, layout::kMaxKeyBytes> key;
  copy_out(key.data(), reinterpret_cast<const std::byte*>(a) + shape_a.key_at(), shape_a.key_bytes);
  return equal_bytes(reinterpret_cast<const std::byte*>(b) + shape_b.key_at(), key.data(),
                     shape_a.key_bytes);
}

bool LaneRecovery::committed(const Intent& intent, std::uint64_t fresh, Gen gen) const {
  if (intent.table.load(kRelaxed) == 0) return false;
  const layout::Slot* slot = slot_of(intent.table.load(kRelaxed), intent.slot.load(kRelaxed));
  if (slot != nullptr) {
    const SlotRef ref{slot->low.load(std::memory_order_acquire)};
    const bool shows = ref.mark() <= layout::Mark::moved && ref.offset() == fresh;
    if (shows) return true;
  }
  // The slot may have moved on to the next table, whose memory may have moved on as well.
  if (is_reachable(memory_, fresh)) return true;
  // Last: whoever takes the node off its slot marks it first, and may do so while we look.
  return memory_.node(fresh)->commit_mark.load(std::memory_order_acquire) == incarnation_of(gen);
}

void LaneRecovery::undo(std::uint64_t fresh, Gen gen) {
  ++report_.undone;
  SESSIONBLOCKS_CRASH("recovery.before_undo");
  memory_.node(fresh)->gen.store(make_gen(incarnation_of(gen), NodeState::freed),
                                 std::memory_order_release);
  hint(fresh);
}

bool LaneRecovery::is_head_of_run(std::uint64_t offset) const {
  const auto& descriptor = memory_.descriptor(memory_.page_of(offset));
  return PageEntry::unpack(descriptor.entry.load(kRelaxed)).kind == PageKind::run_head;
}

// Whether the key of this node has a later version by now, or was forgotten after a later one.
bool LaneRecovery::has_moved_on(std::uint64_t old) const {
  const Node& node = *memory_.node(old);
  const auto shape = layout::Shape::unpack(node.shape.load(kRelaxed));
  const std::uint64_t version = node.version.load(kRelaxed);
  if (shape.key_bytes == 0 || shape.key_bytes > layout::kMaxKeyBytes) return false;
  if (!memory_.holds(old, shape.node_bytes())) return false;
  std::array<std::byte, layout::kMaxKeyBytes> key;
  copy_out(key.data(), reinterpret_cast<const std::byte*>(&node) + shape.key_at(), shape.key_bytes);
  SlotView view;
  std::uint64_t newest = 0;
  const KeyView key_view{key.data(), shape.key_bytes, node.hash.load(kRelaxed)};
  const Found found = lookup(memory_, key_view, nullptr, view, [&](const SlotView& hit) {
    newest = hit.node->version.load(kRelaxed);
  });
  if (found == Found::absent) {
    newest = memory_.header().version_floor.load(std::memory_order_acquire);
  }
  return found != Found::corrupt && newest > version;
}

// Whether the commit that the intent tells of can have taken this node, which is in use, off its
// slot. The node itself says of which key it is and which version came after it; the new node says
// so too unless it was displaced and used again, and then the index must know a later version.
bool LaneRecovery::displaced(const Intent& intent, std::uint64_t fresh, Gen gen,
                             std::uint64_t old) const {
  const Node& node = *memory_.node(old);
  if (old == fresh || node.key_id.load(kRelaxed) != intent.key_id.load(kRelaxed) ||
      node.version.load(kRelaxed) + 1 != intent.version.load(kRelaxed) ||
      is_reachable(memory_, old)) {
    return false;
  }
  if (same_key(old, fresh)) return true;
  return !is_here(fresh, gen) && has_moved_on(old);
}

void LaneRecovery::complete(const Intent& intent, std::uint64_t fresh, Gen gen) {
  const std::uint64_t old = intent.old.load(kRelaxed);
  const Gen old_gen = intent.old_gen.load(kRelaxed);
  const bool keeps_old = (intent.what.load(kRelaxed) & layout::kKeepOld) != 0;
  const auto seen = old != 0 && !keeps_old ? gen_of(old) : std::nullopt;
  if (seen && *seen == old_gen && state_of(*seen) == NodeState::in_use &&
      !displaced(intent, fresh, gen, old)) {
    // Another's commit may have freed it since we looked: then it is none of ours, and no forgery.
    const auto now = gen_of(old);
    if (now && *now == old_gen) {
      ++report_.forged;
      return;
    }
  } else if (seen) {
    free_by_gen(old, old_gen);
  }
  record_and_wake(intent);
}

void LaneRecovery::record_and_wake(const Intent& intent) {
  ++report_.committed;
  publish_record(intent);
  const std::uint64_t slot = intent.slot.load(kRelaxed);
  if (const layout::Slot* at = slot_of(intent.table.load(kRelaxed), slot)) {
    wake_slot(*block_.readers, *at, slot);
  }
}

// Writes the record into the dead lane's ring as its thread would have: at the index that it kept,
// so that doing it twice is doing it once.
void LaneRecovery::publish_record(const Intent& intent) {
  const std::uint64_t at = intent.record_at.load(kRelaxed);
  if (at == 0 || !block_.audited || head_.ring_written.load(kRelaxed) != at - 1) return;
  layout::AuditRecord record{};
  record.key_id = intent.key_id.load(kRelaxed);
  record.version = intent.version.load(kRelaxed);
  record.value_bytes = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(intent.value_bytes.load(kRelaxed), UINT32_MAX));
  record.open = block_.open;
  record.op = static_cast<std::uint8_t>(intent.what.load(kRelaxed) & 0xFFU);
  record.count = 1;
  const std::uint64_t place = at - 1 + head_.ring_shift.load(kRelaxed);
  sessionblocks::detail::store_cell(worker_.ring(lane_)[place & (worker_.ring_records() - 1)],
                                    record);
  SESSIONBLOCKS_CRASH("recovery.before_record");
  head_.ring_written.store(at, std::memory_order_release);
}

void LaneRecovery::decide(const Intent& intent, std::uint64_t fresh, Gen gen) {
  // What no writer names: the place of no node, a gen that no new node has.
  const auto op = static_cast<Op>(intent.what.load(kRelaxed) & 0xFFU);
  if (memory_.node(fresh) == nullptr || state_of(gen) != NodeState::in_use ||
      incarnation_of(gen) == 0 || op < Op::put || op > Op::get_and_erase) {
    ++report_.forged;
    return;
  }
  const bool named = intent.table.load(kRelaxed) != 0;
  if (named && is_here(fresh, gen) && committed(intent, fresh, gen)) {
    return complete(intent, fresh, gen);
  }
  // Looked at after the mark: one that was displaced and stolen meanwhile has another's mark.
  const auto seen = gen_of(fresh);
  if (!seen || incarnation_of(*seen) != incarnation_of(gen)) {
    // Before the slot was named the chunk was not ours yet. After it, it was; then only a commit
    // and another's overwrite can have let its owner reuse it (a stolen chunk).
    if (named) complete(intent, fresh, gen);
  } else if (state_of(*seen) == NodeState::in_use) {
    // In use and reached by its key, though not where the intent says: no writer leaves that.
    if (is_reachable(memory_, fresh)) {
      ++report_.forged;
    } else {
      undo(fresh, gen);
    }
  } else if (state_of(*seen) == NodeState::freed) {
    hint(fresh);  // given back, by the thread or by a recovery that was cut off before the hint
  }
}

// A slot that was dropped once is never anything else, while an intent names its table.
void LaneRecovery::complete_eviction(const Intent& intent) {
  const layout::Slot* slot = slot_of(intent.table.load(kRelaxed), intent.slot.load(kRelaxed));
  if (slot == nullptr) return static_cast<void>(++report_.forged);
  if (!SlotRef{slot->low.load(std::memory_order_acquire)}.is_dropped_by(owner_)) return;
  const std::uint64_t old = intent.old.load(kRelaxed);
  const Gen old_gen = intent.old_gen.load(kRelaxed);
  const auto seen = gen_of(old);
  if (seen && *seen == old_gen && state_of(*seen) == NodeState::in_use) {
    const Node& node = *memory_.node(old);
    const bool is_evicted = node.key_id.load(kRelaxed) == intent.key_id.load(kRelaxed) &&
                            node.version.load(kRelaxed) + 1 == intent.version.load(kRelaxed) &&
                            !is_reachable(memory_, old);
    if (!is_evicted) return static_cast<void>(++report_.forged);
  }
  if (seen) free_by_gen(old, old_gen);
  record_and_wake(intent);
}

void LaneRecovery::main() {
  Intent& intent = head_.intent;
  const std::uint64_t op = intent.op.load(std::memory_order_acquire);
  if (op == intent.done.load(std::memory_order_acquire)) return;
  if (((intent.what.load(kRelaxed) >> 16U) & 0xFFFFU) != block_.open) return;
  const std::uint64_t fresh = intent.fresh.load(std::memory_order_acquire);
  const bool is_eviction = static_cast<Op>(intent.what.load(kRelaxed) & 0xFFU) == Op::evict;
  if (is_eviction && fresh == 0) {
    if (intent.table.load(kRelaxed) != 0) complete_eviction(intent);
  } else if (fresh != 0) {
    decide(intent, fresh, intent.fresh_gen.load(kRelaxed));
  }
  SESSIONBLOCKS_CRASH("recovery.before_done");
  intent.done.store(op, std::memory_order_release);
}

}  // namespace

RecoveryReport recover_in_block(const WorkerMemory& worker, WorkerId id,
                                const RecoveredBlock& block) {
  RecoveryReport report;
  for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
    if (!worker.is_lane_used(lane)) continue;
    LaneRecovery recovery(worker, lane, owner_of(id, lane), block, report);
    recovery.side();
    recovery.main();
  }
  // Only now may others adopt the pages: the nodes in flight have been decided.
  report.pages = orphan_pages_of(*block.memory, id);
  release_readers(*block.readers, id);
  return report;
}

void release_readers(layout::ReadersSegment& readers, WorkerId id) {
  clear_hazards(&readers, id);
}

}  // namespace sessionblocks::segment
