// The audit ring: one writer thread (its lane's), one reader (the director's drain).
//
// The writer publishes with one release store; the reader trusts nothing: it keeps its own read
// index, bounds the write index by the capacity, copies, and only then looks at what it copied.
// boost::lockfree::spsc_queue is not used here because a forged index crashes its consumer.
//
// Invariants
//  1. Cells in [drained, written) are whole; the writer never touches one of them.
//  2. written - drained <= capacity, unless the writer is hostile, which the reader detects.
//  3. Record n of a lane is n for ever: what was drained is a prefix of what was written.
//  4. Which cell it is in changes only while everything written is drained: a ring whose last
//     cells can get no memory begins again at its first, and is as large as the memory it has.
#pragma once

#include <sessionblocks/error.hpp>

#include "core/words.hpp"
#include "layout/worker.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace sessionblocks {

using RingCell = layout::AuditRecord;

// What is recorded of one operation; `value_bytes` saturates.
[[nodiscard]] inline RingCell make_record(std::uint16_t open, Op op, Errc outcome,
                                          std::uint64_t key_id, std::uint64_t version,
                                          std::uint64_t value_bytes,
                                          std::uint64_t now_ms) noexcept {
  constexpr std::uint64_t kMost = UINT32_MAX;
  return {.key_id = key_id,
          .version = version,
          .time_ms = static_cast<std::uint32_t>(now_ms),
          .value_bytes = static_cast<std::uint32_t>(std::min(value_bytes, kMost)),
          .open = open,
          .op = static_cast<std::uint8_t>(op),
          .outcome = static_cast<std::uint8_t>(outcome),
          .count = 1,
          .flags = 0};
}

// Cells that hold `key_bytes` bytes of an inline key.
[[nodiscard]] constexpr std::uint64_t key_cells(std::uint64_t key_bytes) noexcept {
  return (key_bytes + sizeof(RingCell) - 1) / sizeof(RingCell);
}

// Cells that hold a value of which `logged_bytes` are logged, with their ValueDetail.
[[nodiscard]] constexpr std::uint64_t value_cells(std::uint64_t logged_bytes) noexcept {
  return 1 + logged_bytes / sizeof(RingCell) + (logged_bytes % sizeof(RingCell) != 0 ? 1 : 0);
}
[[nodiscard]] inline layout::ValueDetail value_detail(const RingCell& cell) noexcept {
  layout::ValueDetail detail;
  std::memcpy(&detail, &cell, sizeof detail);
  return detail;
}
// Cells of a record and its key; and of all of the record that begins `cells`, which are checked.
[[nodiscard]] inline std::uint64_t head_cells(const RingCell& record) noexcept {
  return 1 + ((record.flags & layout::kInlineKey) != 0 ? key_cells(record.value_bytes) : 0);
}
[[nodiscard]] inline std::uint64_t cells_of(std::span<const RingCell> cells) noexcept {
  const std::uint64_t head = head_cells(cells[0]);
  if ((cells[0].flags & layout::kInlineValue) == 0) return head;
  return head + value_cells(value_detail(cells[static_cast<std::size_t>(head)]).logged_bytes);
}
// The longest value that is logged through a ring of so many records, in bytes: it fills no more
// than half of that, and leaves room for the longest operation on the rest of it.
[[nodiscard]] constexpr std::uint64_t most_logged_bytes(std::uint64_t ring_records) noexcept {
  constexpr std::uint64_t kKeptFree = 16;
  return std::min((ring_records / 2 - kKeptFree) * sizeof(RingCell), layout::kMostLoggedBytes);
}

namespace detail {
[[gnu::always_inline]] inline void store_words(RingCell& cell,
                                               const std::uint64_t (&words)[4]) noexcept {
  auto* to = reinterpret_cast<std::uint64_t*>(&cell);
  __atomic_store_n(to, words[0], __ATOMIC_RELAXED);
  __atomic_store_n(to + 1, words[1], __ATOMIC_RELAXED);
  __atomic_store_n(to + 2, words[2], __ATOMIC_RELAXED);
  __atomic_store_n(to + 3, words[3], __ATOMIC_RELAXED);
}
// The words are put together in registers: narrow stores that a wide load reads back cost more
// than all the rest of a push.
[[gnu::always_inline]] inline void store_cell(RingCell& cell, const RingCell& value) noexcept {
  store_words(
      cell, {value.key_id, value.version, value.time_ms | (std::uint64_t{value.value_bytes} << 32U),
             value.open | (std::uint64_t{value.op} << 16U) | (std::uint64_t{value.outcome} << 24U) |
                 (std::uint64_t{value.count} << 32U) | (std::uint64_t{value.flags} << 48U)});
}
inline void load_cell(const RingCell& cell, RingCell& value) noexcept {
  std::uint64_t words[4];
  const auto* from = reinterpret_cast<const std::uint64_t*>(&cell);
  for (int i = 0; i < 4; ++i) words[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
  std::memcpy(&value, words, sizeof words);
}
}  // namespace detail

class AuditRingWriter {
 public:
  AuditRingWriter(layout::LaneHead& lane, RingCell* cells, std::uint64_t capacity) noexcept
      : lane_(&lane),
        cells_(cells),
        mask_(capacity - 1),
        written_(lane.ring_written.load(std::memory_order_relaxed)),
        shift_(lane.ring_shift.load(std::memory_order_relaxed)),
        present_(capacity) {}

  // Whether `cells` more fit now; asks the shared index only when the private copy says no.
  [[nodiscard]] bool has_room(std::uint64_t cells) noexcept {
    return has_room_as_known(cells) || ask_for_room(cells);
  }
  // The same by what was last asked: one comparison.
  [[nodiscard]] bool has_room_as_known(std::uint64_t cells) const noexcept {
    return written_ + cells <= end_;
  }
  // Only the first `cells` of the ring have memory yet.
  void set_present(std::uint64_t cells) noexcept {
    present_ = cells;
    end_ = 0;
  }
  [[nodiscard]] std::uint64_t present() const noexcept { return present_; }
  // The cell that the next record goes to.
  [[nodiscard]] std::uint64_t place() const noexcept { return place_of(written_); }
  // The next record goes to the first cell. Only when everything is drained, so that no record
  // that somebody will read changes its place; else false, and nothing is changed.
  bool begin_again() noexcept {
    // A1 (acquire): as in ask_for_room.
    if (lane_->ring_drained.load(std::memory_order_acquire) != written_) return false;
    shift_ = 0 - written_;
    end_ = 0;
    // Relaxed: R2 publishes it with the first record that it places.
    lane_->ring_shift.store(shift_, std::memory_order_relaxed);
    return true;
  }
  // Whether a reader can have released what it says: more than was ever written it cannot, and what
  // it never released nobody would wait for.
  [[nodiscard]] bool is_plausible() const noexcept {
    const std::uint64_t drained = lane_->ring_drained.load(std::memory_order_acquire);
    return written_ - drained <= mask_ + 1;
  }
  // The same in two steps: nobody reads the cell before it is published. Precondition of both: room
  // for one more.
  [[nodiscard]] RingCell& next_cell() noexcept { return cells_[place()]; }
  void publish_next() noexcept { publish(written_ + 1); }
  // The index that the next record gets.
  [[nodiscard]] std::uint64_t next() const noexcept { return written_; }

  // Precondition for both: has_room for the cells they fill.
  void push(const RingCell& record) noexcept {
    detail::store_cell(cells_[place()], record);
    publish(written_ + 1);
  }
  void push_with_key(RingCell record, std::span<const std::byte> key) noexcept {
    record.flags |= layout::kInlineKey;
    record.value_bytes = static_cast<std::uint32_t>(key.size());
    detail::store_cell(cells_[place()], record);
    publish(store_bytes(written_ + 1, key));
  }
  // The value of a record that comes next, behind the place that the record and `key_cells` of its
  // key will have. Nobody sees it before push_with_value publishes all of it. Precondition: room
  // for record, key and value.
  void lay_value(const layout::ValueDetail& detail, std::span<const std::byte> bytes,
                 std::uint64_t key_cells = 0) noexcept {
    const std::uint64_t at = written_ + 1 + key_cells;
    (void)store_bytes(store_bytes(at, std::as_bytes(std::span(&detail, 1))), bytes);
  }
  // `logged_bytes` were laid.
  void push_with_value(RingCell record, std::uint64_t logged_bytes) noexcept {
    record.flags |= layout::kInlineValue;
    detail::store_cell(cells_[place()], record);
    publish(written_ + 1 + value_cells(logged_bytes));
  }
  void push_with_key_and_value(RingCell record, std::span<const std::byte> key,
                               std::uint64_t logged_bytes) noexcept {
    record.flags |= layout::kInlineKey | layout::kInlineValue;
    record.value_bytes = static_cast<std::uint32_t>(key.size());
    detail::store_cell(cells_[place()], record);
    publish(store_bytes(written_ + 1, key) + value_cells(logged_bytes));
  }

 private:
  [[gnu::noinline]] bool ask_for_room(std::uint64_t cells) noexcept {
    // A1 (acquire): pairs with R1 of drain: the reader is done with what it counts as drained.
    end_ = lane_->ring_drained.load(std::memory_order_acquire) + mask_ + 1;
    if (present_ <= mask_) end_ = std::min(end_, written_ - place() + present_);
    return has_room_as_known(cells);
  }
  [[nodiscard]] std::uint64_t place_of(std::uint64_t record) const noexcept {
    return (record + shift_) & mask_;
  }
  // From the cell of this index on; the index behind them.
  std::uint64_t store_bytes(std::uint64_t at, std::span<const std::byte> bytes) noexcept {
    for (std::size_t done = 0; done < bytes.size(); done += sizeof(RingCell), ++at) {
      std::uint64_t words[4] = {};
      std::memcpy(words, bytes.data() + done, std::min(sizeof words, bytes.size() - done));
      detail::store_words(cells_[place_of(at)], words);
    }
    return at;
  }
  void publish(std::uint64_t written) noexcept {
    written_ = written;
    // R2 (release): the cells before the index that shows them. Pairs with A2 of drain.
    lane_->ring_written.store(written, std::memory_order_release);
  }

  layout::LaneHead* lane_;
  RingCell* cells_;
  std::uint64_t mask_;
  std::uint64_t written_;
  std::uint64_t shift_;  // as in the lane's head
  std::uint64_t present_;
  std::uint64_t end_ = 0;  // the writer may fill the cells below, as last asked
};

// Places are the reader's own, kept outside the segment: what is released, what is copied, and
// who does which, are the caller's (one thread copies, another may release what is written away).
class AuditRingReader {
 public:
  AuditRingReader(layout::LaneHead& lane, const RingCell* cells, std::uint64_t capacity) noexcept
      : lane_(&lane), cells_(cells), mask_(capacity - 1) {}

  [[nodiscard]] std::uint64_t capacity() const noexcept { return mask_ + 1; }
  // The shared write index, unchecked.
  [[nodiscard]] std::uint64_t written() const noexcept {
    // A2 (acquire): pairs with R2.
    return lane_->ring_written.load(std::memory_order_acquire);
  }
  // What the reader had released when it last ran, unchecked.
  [[nodiscard]] std::uint64_t released() const noexcept {
    // Relaxed: only readers store it, and one reader follows another through the log.
    return lane_->ring_drained.load(std::memory_order_relaxed);
  }
  // Whether an honest writer can have `written` when all before `released_at` was released and
  // all before `copied` was seen written.
  [[nodiscard]] bool is_plausible(std::uint64_t written_index, std::uint64_t released_at,
                                  std::uint64_t copied) const noexcept {
    const std::uint64_t ahead = written_index - released_at;
    return ahead <= capacity() && ahead >= copied - released_at;
  }
  // Copies the cells [from, from + out.size()), which a plausible write index covers.
  void copy(std::uint64_t from, std::span<RingCell> out) const noexcept {
    // Relaxed: A2 has seen the shift that placed what it saw written. Any other gives other cells
    // of the ring.
    const std::uint64_t first = from + lane_->ring_shift.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < out.size(); ++i)
      detail::load_cell(cells_[(first + i) & mask_], out[i]);
  }
  // What was copied before `end` is safe elsewhere: the writer may use its cells again.
  void release(std::uint64_t end) noexcept {
    // R1 (release): our loads of the cells (of another thread through its queue) before the index
    // that frees them. Pairs with A1.
    lane_->ring_drained.store(end, std::memory_order_release);
  }

 private:
  layout::LaneHead* lane_;
  const RingCell* cells_;
  std::uint64_t mask_;
};

}  // namespace sessionblocks
