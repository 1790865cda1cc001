// Committing one change of one entry: the only code that puts nodes into slots for a user.
//
// One compare-and-swap of the slot is the commit. All before it is private and named in the
// thread's intent, all after it can be done by whoever recovers the thread.
//
//   a writer dies                          left behind                     put right by
//   before the intent is armed             nothing                         -
//   armed, node taken or filled            a node in_use, in no slot       recovery frees it
//   after the commit                       old node, record, wake          recovery does them
//   after done                             nothing                         -
#pragma once

#include "core/likely.hpp"
#include "layout/control.hpp"
#include "lockfree/audit_ring.hpp"
#include "segment/chain.hpp"
#include "segment/commit_steps.hpp"
#include "segment/growth.hpp"
#include "segment/mutation.hpp"

namespace sessionblocks::segment {

struct Outcome {
  Errc code{};                // Errc{0}: committed
  std::uint64_t version = 0;  // new version; of the entry that was in the way on conflict, exists
  std::uint64_t value_bytes = 0;
  layout::ValueType old_type = layout::ValueType::tombstone;  // wrong_type: what is there
  std::uint64_t key_id = 0;
  std::uint64_t expiry_ms = 0;
  std::uint64_t wanted_bytes = 0;     // out_of_memory: of a node, 0: of a slot
  std::array<std::byte, 8> number{};  // increment: the sum
};

// What a writer needs of its thread and its block. All of it outlives the writer.
struct WriterPlace {
  BlockMemory* memory = nullptr;
  layout::ReadersSegment* readers = nullptr;
  const std::atomic<std::uint64_t>* life = nullptr;  // LifeWord in control
  layout::LaneHead* lane = nullptr;
  AuditRingWriter* ring = nullptr;
  std::uint16_t open = 0;  // the worker's index of this block
  OwnerId owner{};
  AtLimit at_limit = AtLimit::refuse;
  bool logs_values = false;  // records of changes carry the values
};

class Writer {
 public:
  explicit Writer(const WriterPlace& place);

  // `life`: the word under which the caller may write; any other is reported as Errc::gone and
  // the caller looks closer. `record`: whether an audit record is written (its room is kept by
  // the caller: cells_needed). Errors: not_found, exists, conflict, wrong_type, overflow,
  // out_of_memory, value_too_large, corrupt, gone.
  void apply(const KeyView& key, const Mutation& mutation, layout::LifeWord life, bool record,
             std::uint64_t now_ms, Outcome& outcome) {
    if (likely(!place_.logs_values) &&
        likely(overwrite_at_rest(key, mutation, life, record, now_ms, outcome))) {
      return;
    }
    outcome = apply_closely(key, mutation, life, record, now_ms);
  }
  // Where the policy is to evict, out_of_memory leaves no record: the caller makes room and applies
  // it again (eviction.hpp), or gives up with this.
  void record_full(const KeyView& key, const Mutation& mutation, std::uint64_t now_ms);

  // The thread ends or closes the block: its pages lose their owner, its hazard its slot.
  void leave() noexcept;

  // Ring cells that an operation on a key of this size can fill.
  [[nodiscard]] static std::uint64_t cells_needed(std::uint64_t key_bytes) noexcept {
    return 3 * (1 + key_cells(key_bytes));
  }
  // Those that its value takes besides, in a block that logs values.
  [[nodiscard]] static std::uint64_t value_cells_needed(const Mutation& mutation) noexcept {
    return value_cells(logged_bytes(mutation));
  }
  // Of a value that can be logged: most_logged_bytes(ring).
  [[nodiscard]] static std::uint64_t logged_bytes(const Mutation& mutation) noexcept {
    return mutation.op == Op::increment ? sizeof(Plan::number) : mutation.value.size();
  }
  [[nodiscard]] ThreadHeap& heap() noexcept { return heap_; }
  [[nodiscard]] Growth& growth() noexcept { return growth_; }

 private:
  enum class Attempt : std::uint8_t { committed, refused, again };

  struct Work {  // one operation under way
    Work(const KeyView& k, const Mutation& m, layout::LifeWord l, bool r, std::uint64_t now)
        : key(k), mutation(m), life(l), record(r), now_ms(now) {}
    const KeyView& key;
    const Mutation& mutation;
    layout::LifeWord life;
    bool record;
    std::uint64_t now_ms;
    Tables tables;
    SlotView view;
    OldEntry old;
    std::uint64_t old_key_id = 0;
    std::uint64_t old_instant = 0;
    ChainLink link;  // what the new node hangs on its chain; previous is old: old stays
    Plan plan;
    Chunk chunk;
    layout::Gen gen = 0;
    std::uint64_t own_key_id = 0;  // of the key, if this operation is what brings it in
    bool defined_own = false;      // its definition is in the ring
    bool defined_old = false;      // so is that of the key of what it displaces
    bool rebuilt = false;          // tombstones were dropped to make room
    Outcome outcome;
  };

  // The whole of it, for what is there, short and in nobody's way (overwrite.cpp). False: nothing
  // came of it, apply_closely() decides.
  [[nodiscard]] bool overwrite_at_rest(const KeyView& key, const Mutation& mutation,
                                       layout::LifeWord life, bool record_it, std::uint64_t now_ms,
                                       Outcome& outcome);
  [[nodiscard]] Outcome apply_closely(const KeyView& key, const Mutation& mutation,
                                      layout::LifeWord life, bool record_it, std::uint64_t now_ms);
  [[nodiscard]] Attempt run(Work& work);
  [[nodiscard]] Attempt attempt(Work& work);
  [[nodiscard]] Attempt refuse(Work& work, Errc code) const noexcept;
  [[nodiscard]] bool locate(Work& work);  // false: look again, or outcome.code is set
  void read_old(Work& work, const SlotView& view) const;
  [[nodiscard]] ChainLink link_for(const Work& work, std::uint64_t instant) const noexcept;
  [[nodiscard]] Errc build(Work& work);
  [[nodiscard]] Errc take_chunk(Work& work, std::uint64_t bytes);
  void fill(Work& work, const layout::Shape& shape);
  void name_in_intent(Work& work);
  [[nodiscard]] bool may_commit(Work& work);
  void define_key(Work& work) noexcept;
  [[nodiscard]] bool logs_value(const Work& work) const noexcept;
  void lay_value(const Work& work) noexcept;
  void finish_commit(Work& work);
  [[nodiscard]] static bool keeps_old(const Work& work) noexcept {
    return work.old.has_node && work.link.previous == work.view.ref.offset();
  }
  void record(Work& work, std::uint64_t key_id);
  // Whoever takes a node off its slot first marks it, so that recovery of its writer can tell that
  // it was committed. Our own need no mark: we are done with the operations that made them.
  void mark_displaced(layout::Node& node, layout::Gen gen) noexcept {
    if (layout::incarnation_of(gen) >> 32U != heap_.thread_number()) mark_committed(node, gen);
  }
  [[nodiscard]] std::uint64_t what_of(Op op) const noexcept {
    return static_cast<std::uint64_t>(op) | (std::uint64_t{place_.open} << 16U);
  }

  WriterPlace place_;
  CommitSteps steps_;
  ThreadHeap heap_;
  Growth growth_;
};

}  // namespace sessionblocks::segment
