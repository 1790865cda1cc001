// A block segment: header | page table | heap of 16 KiB pages (nodes, and the slots of tables).
//
//   0      64      128      192      256          4,096                heap_at            bytes
//   | id   | hot   | cold   | marks  | pins ...   | page descriptors   | page 0 | page 1 | ... |
//
// Everything here can be changed by any holder of a read-write grant, so nothing here is
// authority: state, generation, quota and size count only as they stand in control.
#pragma once

#include "core/bounds.hpp"
#include "layout/node.hpp"
#include "layout/page.hpp"
#include "layout/pair.hpp"

namespace sessionblocks::layout {

// A slot {ref, ver}: ref = tag 16 | offset 45 | mark 3 (offsets are multiples of 8).
// ver grows by one with each change, so a pair never comes back.
enum class Mark : std::uint8_t {
  live = 0,     // the node (or tombstone) at offset
  frozen = 1,   // the same, about to be copied to the next table; changes to moved only
  moved = 2,    // look in the next table
  dropped = 3,  // a tombstone that no checkpoint needed is gone; offset names who dropped it
  empty = 4,    // never claimed in this table
  closed = 5,   // was empty; ends a probe here, the key may be in the next table
};

struct SlotRef {
  std::uint64_t word = 0;

  [[nodiscard]] static constexpr SlotRef make(std::uint64_t hash, std::uint64_t offset,
                                              Mark mark) noexcept {
    return {((hash >> 48U) << 48U) | offset | static_cast<std::uint64_t>(mark)};
  }
  [[nodiscard]] constexpr Mark mark() const noexcept { return static_cast<Mark>(word & 7U); }
  [[nodiscard]] constexpr std::uint64_t offset() const noexcept { return word & 0xFFFF'FFFF'FFF8U; }
  [[nodiscard]] constexpr std::uint16_t tag() const noexcept {
    return static_cast<std::uint16_t>(word >> 48U);
  }
  [[nodiscard]] constexpr SlotRef with(Mark mark) const noexcept {
    return {(word & ~std::uint64_t{7}) | static_cast<std::uint64_t>(mark)};
  }
  // What is left of a slot whose node this lane took off it for good.
  [[nodiscard]] constexpr SlotRef dropped_by(OwnerId owner) const noexcept {
    return {(word >> 48U << 48U) | (std::uint64_t{raw(owner)} << 3U) |
            static_cast<std::uint64_t>(Mark::dropped)};
  }
  [[nodiscard]] constexpr bool is_dropped_by(OwnerId owner) const noexcept {
    return *this == dropped_by(owner);
  }
  [[nodiscard]] constexpr bool holds_node() const noexcept {
    return mark() == Mark::live || mark() == Mark::frozen;
  }
  friend constexpr bool operator==(SlotRef, SlotRef) = default;
};

using Slot = AtomicPair;  // low: SlotRef, high: ver
inline constexpr std::uint64_t kEmptyRef = static_cast<std::uint64_t>(Mark::empty);
inline constexpr std::uint64_t kClosedRef = static_cast<std::uint64_t>(Mark::closed);
// Zero memory is "gone": no mark of a made table is ever live at offset 0.

// Table word: id 32 | log2 of slots 6 | first page 26. An id is never used twice in a block.
// Page bits of zero with log2 zero say "no table", the idle form of the `old` word.
struct TableWord {
  std::uint64_t word = 0;

  [[nodiscard]] static constexpr TableWord make(std::uint32_t id, unsigned log2_slots,
                                                std::uint32_t page) noexcept {
    return {(std::uint64_t{id} << 32U) | (std::uint64_t{log2_slots} << 26U) | page};
  }
  [[nodiscard]] static constexpr TableWord idle(std::uint32_t id) noexcept {
    return {std::uint64_t{id} << 32U};
  }
  [[nodiscard]] constexpr std::uint32_t id() const noexcept {
    return static_cast<std::uint32_t>(word >> 32U);
  }
  [[nodiscard]] constexpr unsigned log2_slots() const noexcept { return (word >> 26U) & 63U; }
  [[nodiscard]] constexpr std::uint32_t page() const noexcept {
    return static_cast<std::uint32_t>(word & 0x3FF'FFFFU);
  }
  [[nodiscard]] constexpr bool is_table() const noexcept { return log2_slots() != 0; }
  [[nodiscard]] constexpr std::uint64_t slots() const noexcept {
    return std::uint64_t{1} << log2_slots();
  }
  friend constexpr bool operator==(TableWord, TableWord) = default;
};
inline constexpr unsigned kMinTableLog2 = 10;  // 1,024 slots fill one page
inline constexpr unsigned kMaxTableLog2 = 36;  // 2^26 pages of 2^10 slots

// A pin is the instant of a held checkpoint; 0: none. kPinTaking: its instant is being drawn, every
// displaced version is kept until then.
inline constexpr unsigned kMaxPins = 56;
inline constexpr std::uint64_t kPinTaking = ~std::uint64_t{0};

struct BlockHeader {
  Identity identity;
  std::uint32_t block_id;  // hints, as everything in a block
  std::uint32_t generation;
  std::uint64_t hash_seed;
  std::uint64_t zero0[2];

  // The line that every operation reads and few change.
  alignas(kLine) std::atomic<std::uint64_t> snapshot_clock;  // S: stamps new nodes
  std::atomic<std::uint64_t> table;                          // TableWord of the current table
  std::atomic<std::uint64_t> old_table;  // the one it grows out of, or idle(id of the current)
  std::atomic<std::uint64_t> pin_count;  // pins that are held; 0 is the common case

  alignas(
      kLine) std::atomic<std::uint64_t> page_watermark;  // pages at and above were never claimed
  std::atomic<std::uint64_t> next_thread_number;
  std::atomic<std::uint64_t> next_table;  // prepared, not yet current; counts when id = current + 1
  std::atomic<std::uint64_t> version_floor;  // above every version of what was dropped

  // Counters of the growth under way and of the claimed slots: hints.
  alignas(kLine) std::atomic<std::uint64_t> claimed_slots;  // of the current table
  std::atomic<std::uint64_t> move_cursor;     // old table id 32 | next slots to move, in batches
  std::atomic<std::uint64_t> moved_batches;   // old table id 32 | batches whose slots are all final
  std::atomic<std::uint64_t> returned_pages;  // grows when a page becomes free below the watermark
  std::atomic<std::uint64_t> orphan_pages;    // grows when a page loses its owner
  std::atomic<std::uint64_t> erased_entries;  // tombstones made since the current table began

  alignas(kLine) std::atomic<std::uint64_t> pins[kMaxPins];  // instant of a held checkpoint, 0 none
};
static_assert(offsetof(BlockHeader, snapshot_clock) == 64);
static_assert(offsetof(BlockHeader, page_watermark) == 128);
static_assert(offsetof(BlockHeader, claimed_slots) == 192);
static_assert(offsetof(BlockHeader, pins) == 256);
static_assert(sizeof(BlockHeader) == 704);

inline constexpr std::uint64_t kPageTableAt = 4'096;

// How many pages a segment of this size has, and where they begin: from the size that control
// states, never from the header.
struct Geometry {
  std::uint64_t segment_bytes = 0;
  std::uint64_t page_count = 0;
  std::uint64_t heap_at = 0;

  [[nodiscard]] static constexpr Geometry of(std::uint64_t segment_bytes) noexcept {
    if (segment_bytes < kPageTableAt + 2 * kPageBytes) return {};
    std::uint64_t pages = (segment_bytes - kPageTableAt) / (kPageBytes + sizeof(PageDescriptor));
    const auto heap = [](std::uint64_t count) {
      return align_up(kPageTableAt + count * sizeof(PageDescriptor), kPageBytes);
    };
    while (pages > 0 && heap(pages) + pages * kPageBytes > segment_bytes) --pages;
    if (pages >= (std::uint64_t{1} << 26U)) pages = (std::uint64_t{1} << 26U) - 1;
    return {segment_bytes, pages, heap(pages)};
  }
  [[nodiscard]] constexpr std::uint64_t page_at(std::uint64_t page) const noexcept {
    return heap_at + page * kPageBytes;
  }
};

// The least and the most that a quota may be: a header, a table and room to work; 1 TiB.
inline constexpr std::uint64_t kMinBlockBytes = 512 * 1024;
inline constexpr std::uint64_t kMaxBlockBytes = std::uint64_t{1} << 40U;

}  // namespace sessionblocks::layout
