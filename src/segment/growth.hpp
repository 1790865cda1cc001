// Growing the index: from the old table T1 to the prepared table T2, slot by slot, while everybody
// goes on reading and writing. No operation waits for a table.
//
//   T1 slot: empty ------------------> closed                     (an insert goes to T2)
//            live node --> frozen --> copied into T2 --> moved
//            live tombstone, no pin -> dropped                     (never through frozen)
//
// Words of the header, in the order in which they change:
//   next_table  T2, prepared: every slot empty
//   old_table   idle(T1) -> T1     the growth begins; anyone may finish the next step
//   table       T1 -> T2
//   old_table   T1 -> idle(T2)     when every slot of T1 is closed, moved or dropped
//
// Every compare-and-swap on a slot of T1 is made under a side intent that names T1, so that its
// memory is not reused while a stopped mover could still come back to it.
#pragma once

#include "segment/lookup.hpp"
#include "segment/thread_heap.hpp"

namespace sessionblocks::segment {

// How large an index may become.
enum class Growing : std::uint8_t {
  freely,
  // Only so that another table of the size finds room: of a block that evicts, where slots become
  // nobody's for ever, and only a rebuild makes them empty again.
  with_spare,
};

class Growth {
 public:
  Growth(BlockMemory& memory, layout::ReadersSegment& readers, ThreadHeap& heap, OwnerId owner,
         Growing growing) noexcept
      : memory_(&memory), readers_(&readers), heap_(&heap), owner_(owner), growing_(growing) {}

  // Before a write of `key` while the index grows: brings the key, or its absence, to T2 and moves
  // a few slots more. False: the tables changed meanwhile; load them again.
  [[nodiscard]] bool bring(const Tables& tables, const KeyView& key);

  // While the index grows: whether a new key may go into T2, and if not, a step towards it. False:
  // not possible now (T2 is full).
  [[nodiscard]] bool has_room_for_new(const Tables& tables) const noexcept;
  [[nodiscard]] bool make_room_for_new(const Tables& tables);
  // Growing::with_spare, while the index is at rest: whether a new key may go into it. False: it is
  // crowded, and too few slots are nobody's for a rebuild.
  [[nodiscard]] bool has_slot_for_new();
  // After an insert: begins a growth when the table is three quarters full.
  void after_insert();
  // Prepares a table and begins at once. False: no memory for one.
  [[nodiscard]] bool begin_now();
  // Moves everything that is left, or finds that others have. False: not possible now (T2 is full).
  bool finish();
  // A full block: rebuilds the table to free what tombstones hold. False: too few, or no memory.
  [[nodiscard]] bool drop_tombstones() { return has_tombstones() && begin_now() && finish(); }
  // Whether enough slots are those of nobody for that to pay.
  [[nodiscard]] bool has_tombstones() const noexcept;

  // Makes `next_table` ready: 2^log2 empty slots with the id after the current one's. The
  // director does this ahead of need, a writer only when it comes to that.
  [[nodiscard]] bool prepare_next(unsigned log2_slots);
  // The same in the memory of a table that nobody can come back to, if it is as large as the
  // current one. Only the director knows that. False: it is not, or there is a next one.
  [[nodiscard]] bool prepare_next_in(std::uint64_t page);
  // The size that the next table should have; 0 while the current one is not half full.
  [[nodiscard]] unsigned wanted_log2() const noexcept;

 private:
  enum class Step : std::uint8_t { final, again, stuck };

  [[nodiscard]] std::uint64_t pages_left() const noexcept {
    const std::uint64_t top = memory_->header().page_watermark.load(std::memory_order_relaxed);
    return top < memory_->page_count() ? memory_->page_count() - top : 0;
  }
  [[nodiscard]] bool has_next(layout::TableWord table) const noexcept;
  [[nodiscard]] bool is_worth_beginning(layout::TableWord table) const noexcept;
  [[nodiscard]] bool has_room_for_larger(layout::TableWord table) const noexcept;
  [[nodiscard]] bool offer_next(layout::TableWord table, unsigned log2_slots, std::uint64_t page);
  [[nodiscard]] bool should_keep_spare(layout::TableWord table) const noexcept;
  [[nodiscard]] bool begin_prepared();
  [[nodiscard]] bool finalise(const Tables& tables, std::uint64_t index);
  [[nodiscard]] Step advance_slot(const Tables& tables, std::uint64_t index);
  [[nodiscard]] Step move_node(const Tables& tables, std::uint64_t index, Pair frozen);
  [[nodiscard]] Step drop(const Tables& tables, std::uint64_t index, Pair seen, layout::Gen gen);
  [[nodiscard]] bool copy_into_next(const Tables& tables, const layout::Slot& from, Pair frozen);
  void move_batch(const Tables& tables);
  void count_batch(const Tables& tables);
  void end(const Tables& tables);
  [[nodiscard]] bool arm(const Tables& tables);
  void disarm() noexcept;

  BlockMemory* memory_;
  layout::ReadersSegment* readers_;
  ThreadHeap* heap_;
  OwnerId owner_;
  Growing growing_;
  std::uint64_t work_left_ = 0;  // looks at slots; then what is under way is given up
};

// No key that has no slot yet begins below it.
inline void raise_version_floor(layout::BlockHeader& header, std::uint64_t above) noexcept {
  auto& floor = header.version_floor;
  std::uint64_t low = floor.load(std::memory_order_relaxed);
  while (low < above && !floor.compare_exchange_weak(low, above, std::memory_order_acq_rel)) {
  }
}

// A half-begun growth (old_table names the current table) is carried on by whoever sees it.
void help_begin(BlockMemory& memory) noexcept;

}  // namespace sessionblocks::segment
