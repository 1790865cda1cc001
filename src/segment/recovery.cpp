#include "segment/recovery.hpp"

#include "core/crash_point.hpp"
#include "core/words.hpp"
#include "lockfree/cas16.hpp"
#include "segment/chain.hpp"
#include "segment/last_record.hpp"
#include "segment/thread_heap.hpp"
#include "segment/verdict.hpp"
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
        verdict_(memory_, owner),
        report_(report) {}

  void side();
  void main();

 private:
  [[nodiscard]] bool is_head_of_run(std::uint64_t offset) const;
  void complete(const Intent& intent, std::uint64_t fresh, Gen gen);
  void complete_eviction(const Intent& intent);
  void record_and_wake(const Intent& intent);
  void decide(const Intent& intent, std::uint64_t fresh, Gen gen);
  void undo(std::uint64_t fresh, Gen gen);
  void free_by_gen(std::uint64_t offset, Gen gen);
  void finish_trim(std::uint64_t old);
  void hint(std::uint64_t offset);

  const WorkerMemory& worker_;
  unsigned lane_;
  LaneHead& head_;
  OwnerId owner_;
  const RecoveredBlock& block_;
  BlockMemory& memory_;
  Verdict verdict_;
  RecoveryReport& report_;
};

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
  const auto seen = verdict_.gen_of(offset);
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
    const layout::Slot* slot =
        verdict_.slot_of(side.table.load(kRelaxed), side.slot.load(kRelaxed));
    // The dropped ref carries this lane's id, so that it shows who won.
    if (slot != nullptr && slot->low.load(std::memory_order_acquire) == mine &&
        SlotRef{mine}.is_dropped_by(owner_) && !is_reachable(memory_, old)) {
      free_by_gen(old, side.old_gen.load(kRelaxed));
    }
  } else if (kind == SideKind::trim) {
    finish_trim(old);
  } else if (kind == SideKind::return_run) {
    const auto gen = verdict_.gen_of(old);
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
  if (auto* slot = verdict_.slot_of(side.table.load(kRelaxed), side.slot.load(kRelaxed))) {
    Pair seen{};
    seen.high = slot->high.load(std::memory_order_acquire);
    seen.low = slot->low.load(std::memory_order_acquire);
    compare_and_swap(*slot, seen, {seen.low, seen.high + 1});
  }
  SESSIONBLOCKS_CRASH("recovery.trim_bumped");
  if (!is_reachable(memory_, old)) free_by_gen(old, side.old_gen.load(kRelaxed));
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

void LaneRecovery::complete(const Intent& intent, std::uint64_t fresh, Gen gen) {
  const std::uint64_t old = intent.old.load(kRelaxed);
  const Gen old_gen = intent.old_gen.load(kRelaxed);
  const bool keeps_old = (intent.what.load(kRelaxed) & layout::kKeepOld) != 0;
  const auto seen = old != 0 && !keeps_old ? verdict_.gen_of(old) : std::nullopt;
  if (seen && *seen == old_gen && state_of(*seen) == NodeState::in_use &&
      !verdict_.has_displaced(intent, fresh, gen, old)) {
    // Another's commit may have freed it since we looked: then it is none of ours, and no forgery.
    const auto now = verdict_.gen_of(old);
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
  if (block_.audited) publish_last_record(worker_, lane_);
  const std::uint64_t slot = intent.slot.load(kRelaxed);
  if (const layout::Slot* at = verdict_.slot_of(intent.table.load(kRelaxed), slot)) {
    wake_slot(*block_.readers, *at, slot);
  }
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
  if (named && verdict_.is_here(fresh, gen) && verdict_.has_shown(intent, fresh, gen)) {
    return complete(intent, fresh, gen);
  }
  // Looked at after the mark: one that was displaced and stolen meanwhile has another's mark.
  const auto seen = verdict_.gen_of(fresh);
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

void LaneRecovery::complete_eviction(const Intent& intent) {
  if (verdict_.slot_of(intent.table.load(kRelaxed), intent.slot.load(kRelaxed)) == nullptr) {
    return static_cast<void>(++report_.forged);
  }
  if (!verdict_.has_dropped(intent)) return;
  const std::uint64_t old = intent.old.load(kRelaxed);
  const Gen old_gen = intent.old_gen.load(kRelaxed);
  const auto seen = verdict_.gen_of(old);
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
