// Claiming pages of a block's heap and giving them back. Lock-free: every step is one
// compare-and-swap of a page's entry, so a claimer that dies leaves pages that its name is on.
//
// What a crash leaves, and who repairs it (recovery.hpp):
//   claimed pages of a dead owner               become free
//   run parts without a head of a dead owner    become free
//   a table that was never current              becomes free
#pragma once

#include "segment/block_memory.hpp"

#include <optional>

namespace sessionblocks::segment {

// What a page is wanted for. Ordinary writes leave the last pages alone, so that a full block can
// still get a table that drops its tombstones; tables leave two, so that an erase in a full block
// finds a chunk for its tombstone.
enum class Claim : std::uint8_t { ordinary, for_table, for_erase };

[[nodiscard]] constexpr std::uint64_t pages_kept(std::uint64_t page_count, Claim claim) noexcept {
  switch (claim) {
    case Claim::ordinary:
      return page_count / 128 + 4;
    case Claim::for_table:
      return 2;
    case Claim::for_erase:
      break;
  }
  return 0;
}

class PagePool {
 public:
  PagePool(BlockMemory& memory, OwnerId owner) noexcept : memory_(&memory), owner_(owner) {}

  // A page cut into chunks of `size_class`, every gen untouched. nullopt: quota or /dev/shm.
  [[nodiscard]] std::optional<std::uint64_t> claim_chunks(std::uint8_t size_class, Claim purpose);

  // `pages` pages in a row, all but the head published as its parts; the head stays `claimed`
  // until publish_head. nullopt: no such row.
  [[nodiscard]] std::optional<std::uint64_t> claim_run(std::uint64_t pages, Claim purpose);
  void publish_head(std::uint64_t page, layout::PageKind kind) noexcept;
  // A table that the header names belongs to nobody: only the director gives it back, when no
  // intent names it. While it has an owner, only that one (or its recovery) may.
  void disown(std::uint64_t page) noexcept;
  // The way back, of a table that nobody can come back to. False: it has an owner.
  [[nodiscard]] bool own(std::uint64_t page) noexcept;

  // Precondition: the page is ours (or its owner is dead) and nothing refers to it.
  void return_page(std::uint64_t page) noexcept;
  // The same, if its entry is still this word. False: it is not, and nothing was done.
  bool return_page(std::uint64_t page, std::uint64_t entry_word) noexcept;
  // Tail first, so that a head which is still there says what is left to do.
  void return_run(std::uint64_t head) noexcept;

 private:
  [[nodiscard]] bool claim_page(std::uint64_t page) noexcept;
  [[nodiscard]] std::optional<std::uint64_t> claim_row(std::uint64_t first, std::uint64_t pages);
  [[nodiscard]] bool is_free(std::uint64_t page) const noexcept;
  [[nodiscard]] std::optional<std::uint64_t> find_page(std::uint64_t top);
  [[nodiscard]] std::optional<std::uint64_t> find_row(std::uint64_t pages, std::uint64_t top);
  [[nodiscard]] std::optional<std::uint64_t> find_below_watermark(std::uint64_t pages,
                                                                  std::uint64_t limit);
  void set_kind(std::uint64_t page, layout::PageKind kind, std::uint8_t size_class) noexcept;

  BlockMemory* memory_;
  OwnerId owner_;
  std::uint64_t seen_returned_ = 0;  // header.returned_pages when a scan last found nothing
  std::uint64_t scan_from_ = 0;
};

}  // namespace sessionblocks::segment
