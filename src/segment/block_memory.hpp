// BlockMemory: the mapped bytes of one block, and the only way to turn an offset that was read
// from them into a pointer.
//
// What stands in a block can be changed by any holder of a read-write grant, so an offset is a
// number until one of these functions has found that it lies in the segment and that memory is
// there (a load of a hole in a full /dev/shm is SIGBUS). Geometry comes from the size that control
// states, never from the header.
//
// Invariants
//  1. A pointer handed out is inside the mapping, for the bytes that were asked for.
//  2. A page is touched only if it is below the reserved bytes of control or was populated here.
#pragma once

#include "core/bounds.hpp"
#include "core/likely.hpp"
#include "layout/block.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

namespace sessionblocks::segment {

// Makes the bytes [offset, offset + bytes) of the mapping present; false when there is no memory.
using Populate = std::function<bool(std::uint64_t offset, std::uint64_t bytes)>;

struct TableView {
  layout::Slot* slots = nullptr;  // const memory behind a read-only grant: readers only load
  std::uint64_t mask = 0;
  layout::TableWord word;
};

class BlockMemory {
 public:
  // `reserved` is BlockRow::reserved_bytes; nullptr: all of the segment is present (tests, copies).
  BlockMemory(std::byte* base, std::uint64_t segment_bytes,
              const std::atomic<std::uint64_t>* reserved, Populate populate);

  [[nodiscard]] layout::BlockHeader& header() const noexcept {
    return *reinterpret_cast<layout::BlockHeader*>(base_);
  }
  [[nodiscard]] const layout::Geometry& geometry() const noexcept { return geometry_; }
  [[nodiscard]] std::uint64_t page_count() const noexcept { return geometry_.page_count; }
  [[nodiscard]] std::byte* base() const noexcept { return base_; }

  // Precondition: page < page_count() and has_pages(page, 1).
  [[nodiscard]] layout::PageDescriptor& descriptor(std::uint64_t page) const noexcept {
    return reinterpret_cast<layout::PageDescriptor*>(base_ + layout::kPageTableAt)[page];
  }
  [[nodiscard]] std::byte* page_bytes(std::uint64_t page) const noexcept {
    return base_ + geometry_.page_at(page);
  }

  // Whether the heap holds `bytes` at `offset`, with memory behind them.
  [[nodiscard]] bool holds(std::uint64_t offset, std::uint64_t bytes) const noexcept {
    const std::uint64_t at = offset - geometry_.heap_at;  // below the heap: wraps to huge
    const std::uint64_t present = present_bytes_.load(std::memory_order_relaxed);
    if (bytes <= present && at <= present - bytes) return true;
    return holds_slow(at, bytes);
  }
  [[nodiscard]] bool has_pages(std::uint64_t page, std::uint64_t count) const noexcept {
    return holds(geometry_.page_at(page), count * layout::kPageBytes);
  }

  // nullptr: not the place of a node: chunks of all classes begin at multiples of 16, and the link
  // behind a head is swapped by an instruction that faults elsewhere. Only the head is known to be
  // there.
  [[nodiscard]] layout::Node* node(std::uint64_t offset) const noexcept {
    if ((offset & 15U) != 0 || !holds(offset, sizeof(layout::Node))) return nullptr;
    return reinterpret_cast<layout::Node*>(base_ + offset);
  }
  // Bytes from a place where a node can begin to the end of the memory that is known to be present;
  // 0: node() and holds() can tell more.
  [[nodiscard, gnu::always_inline]] std::uint64_t present_from(
      std::uint64_t offset) const noexcept {
    const std::uint64_t at = offset - geometry_.heap_at;  // below the heap: wraps to huge
    const std::uint64_t present = present_bytes_.load(std::memory_order_relaxed);
    return likely((offset & 15U) == 0 && at < present) ? present - at : 0;
  }
  // Precondition: holds(offset, 1).
  [[nodiscard]] std::uint64_t page_of(std::uint64_t offset) const noexcept {
    return (offset - geometry_.heap_at) / layout::kPageBytes;
  }

  // nullopt: the word names no table that fits this segment.
  [[nodiscard]] std::optional<TableView> table(layout::TableWord word) const noexcept {
    if (!is_checked(word) && !check_table(word)) return std::nullopt;
    return checked_table(word);
  }
  // Whether table() found this word valid last; then checked_table() needs no test.
  [[nodiscard]] bool is_checked(layout::TableWord word) const noexcept {
    return checked_table_.load(std::memory_order_relaxed) == word.word;
  }
  [[nodiscard]] TableView checked_table(layout::TableWord word) const noexcept {
    return {reinterpret_cast<layout::Slot*>(page_bytes(word.page())), word.slots() - 1, word};
  }

  // Whether the pages that the word names are its table's now. Precondition: table() found it
  // valid.
  [[nodiscard]] bool is_table_page(layout::TableWord word) const noexcept {
    const auto& page = descriptor(word.page());
    const auto entry = layout::PageEntry::unpack(page.entry.load(std::memory_order_acquire));
    return entry.kind == layout::PageKind::table_head &&
           page.run_head.load(std::memory_order_relaxed) == word.id();
  }

  // Memory for a page that is about to be claimed; false: /dev/shm is full.
  [[nodiscard]] bool make_present(std::uint64_t page) noexcept { return has_pages(page, 1); }

  // The gen of the node at `offset` if that is where a chunk or a run begins, read while the page
  // stayed what it was; nullopt otherwise. The words of a page that was cut anew hold anything.
  [[nodiscard]] std::optional<layout::Gen> authentic_gen(std::uint64_t offset) const noexcept;

  // What the entry of a page allows: where a node at `offset` ends. 0: no node begins there.
  [[nodiscard]] std::uint64_t chunk_bytes(layout::PageEntry entry,
                                          std::uint64_t offset) const noexcept;

 private:
  [[nodiscard]] bool check_table(layout::TableWord word) const noexcept;
  [[nodiscard]] bool holds_slow(std::uint64_t at, std::uint64_t bytes) const noexcept;
  [[nodiscard]] bool populate_page(std::uint64_t page) const noexcept;

  std::byte* base_;
  layout::Geometry geometry_;
  const std::atomic<std::uint64_t>* reserved_;
  Populate populate_;
  // Heap bytes from the first page on that are known to be present; a cache of control's word.
  mutable std::atomic<std::uint64_t> present_bytes_{0};
  mutable std::atomic<std::uint64_t> checked_table_{0};  // the last table word found valid
  // One bit per page that this process populated itself.
  std::unique_ptr<std::atomic<std::uint64_t>[]> populated_;
};

}  // namespace sessionblocks::segment
