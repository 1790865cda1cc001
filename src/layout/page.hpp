// Heap pages of a block: 16 KiB each, described by one cache line in the page table.
//
//   entry: kind 3 | class 5 | epoch 24 | owner 32        changed only by compare-and-swap
//
//   free --claim--> claimed --cut--> chunks --all collected--> free
//                      \--> run_part (parts first) + run_head (last)   value of many pages
//                      \--> run_part (parts first) + table_head (last) slots of an index table
#pragma once

#include "core/ids.hpp"
#include "layout/identity.hpp"

namespace sessionblocks::layout {

inline constexpr std::uint64_t kPageBytes = 16'384;

enum class PageKind : std::uint8_t {
  free = 0,
  claimed = 1,     // an owner prepares it; holds nothing
  chunks = 2,      // cut into chunks of one class
  run_head = 3,    // first page of a value that fills several; the node starts the page
  run_part = 4,    // a later page of a run
  table_head = 5,  // first page of an index table
};

struct PageEntry {
  PageKind kind = PageKind::free;
  std::uint8_t size_class = 0;
  std::uint32_t epoch = 0;  // 24 bits; one more each time the page is claimed
  OwnerId owner{};

  [[nodiscard]] static constexpr PageEntry unpack(std::uint64_t word) noexcept {
    return {static_cast<PageKind>(word & 7U), static_cast<std::uint8_t>((word >> 3U) & 31U),
            static_cast<std::uint32_t>((word >> 8U) & 0xFF'FFFFU),
            static_cast<OwnerId>(static_cast<std::uint32_t>(word >> 32U))};
  }
  [[nodiscard]] constexpr std::uint64_t pack() const noexcept {
    return static_cast<std::uint64_t>(kind) | (std::uint64_t{size_class} << 3U) |
           (std::uint64_t{epoch & 0xFF'FFFFU} << 8U) | (std::uint64_t{raw(owner)} << 32U);
  }
};

inline constexpr unsigned kHintWords = 4;  // 256 bits cover the 204 chunks of the smallest class

struct alignas(kLine) PageDescriptor {
  std::atomic<std::uint64_t> entry;
  std::atomic<std::uint32_t> run_pages;  // run_head, table_head: pages of the run
  std::atomic<std::uint32_t> run_head;   // run_part: which page heads it; table_head: table id
  std::atomic<std::uint64_t> freed_hints[kHintWords];  // hints only: gen decides
  std::uint64_t zero[2];
};
static_assert(sizeof(PageDescriptor) == 64 && offsetof(PageDescriptor, freed_hints) == 16);

}  // namespace sessionblocks::layout
