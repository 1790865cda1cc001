// The steps of a commit that others rely on, in their order: recovery, which finds a writer dead
// between two of them, and readers, who look at a chunk while it becomes another node. A writer
// goes through them with everything else between (writer.cpp), or in one line (overwrite.cpp).
//
//   describe_slot   begin   name_chunk   enter_chunk   write_head   name_slot   W1: the slot finish
#pragma once

#include "core/crash_point.hpp"
#include "core/words.hpp"
#include "layout/node.hpp"
#include "layout/worker.hpp"

namespace sessionblocks::segment {

// The words of a new node before its key and value, but the stamp: that comes last.
struct NodeHead {
  layout::Gen gen = 0;
  layout::Shape shape;
  std::uint64_t version = 0;
  std::uint64_t key_id = 0;
  std::uint64_t expiry_ms = 0;
  std::uint64_t hash = 0;
};

// What recovery has to know of a commit that may have happened, besides the table of its slot.
struct SlotNames {
  std::uint64_t what = 0;  // Op, kKeepOld, kFreshSlot, open index
  std::uint64_t slot = 0;
  std::uint64_t old = 0;
  layout::Gen old_gen = 0;
  std::uint64_t version = 0;
  std::uint64_t key_id = 0;
  std::uint64_t value_bytes = 0;
  std::uint64_t record_at = 0;  // ring index of the record, plus one; 0: there is none
};

class CommitSteps {
 public:
  explicit CommitSteps(layout::Intent& intent) noexcept : intent_(intent) {}

  // The operation is in flight, and names nothing yet.
  [[gnu::always_inline]] void begin(std::uint64_t what) noexcept {
    intent_.fresh.store(0, kRelaxed);
    intent_.table.store(0, kRelaxed);
    intent_.what.store(what, kRelaxed);
    // I1 (release): an intent that names nothing yet before the operation counts as in flight.
    intent_.op.store(intent_.op.load(kRelaxed) + 1, std::memory_order_release);
  }
  [[gnu::always_inline]] void name_chunk(std::uint64_t offset, layout::Gen gen) noexcept {
    intent_.fresh_gen.store(gen, kRelaxed);
    intent_.fresh.store(offset, std::memory_order_release);
    SESSIONBLOCKS_CRASH("write.armed");
  }
  // A chunk that nobody else can take. Release: the intent that names the node before the state
  // that recovery must undo.
  [[gnu::always_inline]] static void enter_chunk(layout::Node& node, layout::Gen gen) noexcept {
    node.gen.store(gen, std::memory_order_release);
  }
  // R1 (release fence): the new gen before the new bytes: a slow reader of the chunk's former life
  // that copied some of them finds another incarnation. Pairs with probe's acquire fence.
  [[gnu::always_inline]] static void entered() noexcept {
    std::atomic_thread_fence(std::memory_order_release);
    SESSIONBLOCKS_CRASH("write.in_use");
  }
  [[gnu::always_inline]] static void write_head(layout::Node& node, const NodeHead& head) noexcept {
    node.commit_mark.store(layout::not_marked(layout::incarnation_of(head.gen)), kRelaxed);
    node.shape.store(head.shape.pack(), kRelaxed);
    node.version.store(head.version, kRelaxed);
    node.key_id.store(head.key_id, kRelaxed);
    node.expiry_ms.store(head.expiry_ms, kRelaxed);
    node.hash.store(head.hash, kRelaxed);
  }
  // May come before begin: nobody looks at it then.
  [[gnu::always_inline]] void describe_slot(const SlotNames& names) noexcept {
    intent_.what.store(names.what, kRelaxed);
    intent_.slot.store(names.slot, kRelaxed);
    intent_.old.store(names.old, kRelaxed);
    intent_.old_gen.store(names.old_gen, kRelaxed);
    intent_.version.store(names.version, kRelaxed);
    intent_.key_id.store(names.key_id, kRelaxed);
    intent_.value_bytes.store(names.value_bytes, kRelaxed);
    intent_.record_at.store(names.record_at, kRelaxed);
  }
  [[gnu::always_inline]] void name_slot(layout::TableWord table) noexcept {
    // I2 (release): the fields before the table that makes them count.
    intent_.table.store(table.word, std::memory_order_release);
    // The director's membarrier falls before the loads that follow or after the intent: either we
    // see what it changed, or it sees what we are about to change and bumps the slot (settle.hpp).
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  // Before a chunk goes back: it may be another's soon, and recovery takes a named chunk that is
  // gone for one that was committed and then displaced.
  void unname_slot() noexcept { intent_.table.store(0, std::memory_order_release); }
  void unname_chunk() noexcept { intent_.fresh.store(0, std::memory_order_release); }
  // Release: everything of the operation before it stops counting as in flight.
  [[gnu::always_inline]] void finish() noexcept {
    intent_.done.store(intent_.op.load(kRelaxed), std::memory_order_release);
  }

 private:
  static constexpr auto kRelaxed = std::memory_order_relaxed;
  layout::Intent& intent_;
};

}  // namespace sessionblocks::segment
