// Eviction: how a write finds room in a block that is full, where its policy says so: entries that
// have expired, or those that were not used for longest, are taken out.
//
// An eviction is an operation of its own, with intent, record and wake, and takes no memory: its
// commit swaps the slot from the node to `dropped`, as a migration drops a tombstone. A dropped
// slot is nobody's for the life of its table, so a key that comes back takes another one, with a
// version above the floor that was raised first. Not done to a node that a checkpoint may need, nor
// to one that is frozen, which its mover copies all the same, nor in a table that others still move
// slots into: a mover that saw the key frozen in the old table and absent in the new one would put
// it back.
//
//   an evicting thread dies    left behind                       put right by recovery
//   before the swap            nothing                           -
//   after it                   a node off its slot, no record    which frees, records, wakes
//
// Least recently used is approximate, as in Redis: the oldest of a sample go. Use is the last
// write, in the node, or the last read, in the readers segment, by the key's hash: an entry that
// shares its mark with one that is read counts as read (use_marks.hpp). A write makes room of its
// own size class first (as memcached's slabs do), of what this thread's pages hold or what it can
// take over; when there is none, one of its own pages is emptied.
#pragma once

#include "segment/writer.hpp"

#include <optional>
#include <vector>

namespace sessionblocks::segment {

class Evictor {
 public:
  // Over the writer of the same thread and block.
  Evictor(const WriterPlace& place, Writer& writer);

  struct Order {
    std::uint64_t bytes = 0;  // Outcome::wanted_bytes
    layout::LifeWord life;
    bool record = false;
    std::uint64_t now_ms = 0;
  };
  struct Room {
    std::size_t evicted = 0;
    bool is_made = false;  // false: nobody changed anything, and nothing may go
  };
  // Ring cells that one eviction fills at most. Without room for it nothing is evicted.
  static constexpr std::uint64_t kCells = 2 + key_cells(layout::kMaxKeyBytes);

  // Takes some entries out, those that were erased but keep their memory too.
  [[nodiscard]] Room make_room(const Order& order);

 private:
  // A slot and what was in it; acted upon only if it is unchanged.
  struct Victim {
    SlotView at;
    std::uint64_t used_ms = 0;
    std::uint64_t key_id = 0;
    std::uint64_t version = 0;
    bool is_tombstone = false;
    bool is_expired = false;

    [[nodiscard]] bool is_missed() const noexcept { return !is_tombstone && !is_expired; }
  };
  static constexpr std::size_t kSample = 64;  // looked at to find those that go
  static constexpr std::size_t kBatch = 8;    // that go at once

  void sweep_expired(const Order& order);
  void evict_oldest(const Order& order);
  void empty_own_page(const Order& order);
  void make_table_worth_rebuilding(const Order& order);
  // The one whose slots may be dropped now: nobody moves slots into it. No answer: none.
  [[nodiscard]] std::optional<TableView> table_to_look_at();
  [[nodiscard]] bool look_at(const SlotView& slot, const Order& order, Victim& victim) const;
  [[nodiscard]] bool look(const TableView& table, const Order& order, Victim& victim);
  [[nodiscard]] bool find_slot_of(std::uint64_t offset, const Order& order, Victim& victim);
  [[nodiscard]] bool is_usable(std::uint64_t offset, std::uint64_t bytes) const;
  [[nodiscard]] bool has_room_to_record(const Order& order) const;
  [[nodiscard]] bool may_drop(const Order& order) const;
  bool evict(const Victim& victim, const Order& order);
  void name_in_intent(const Victim& victim, const Order& order);
  void publish(const Victim& victim, const Order& order);

  WriterPlace place_;
  ThreadHeap* heap_;
  Growth* growth_;
  CommitSteps steps_;
  Tables tables_;
  Room room_;
  std::uint64_t cursor_ = 0;  // over the slots
  std::uint64_t none_expired_until_ = 0;
  std::vector<Victim> sample_;
};

}  // namespace sessionblocks::segment
