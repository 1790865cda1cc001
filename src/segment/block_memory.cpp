#include "segment/block_memory.hpp"

#include "segment/size_class.hpp"

#include <utility>

namespace sessionblocks::segment {

using layout::Geometry;
using layout::kPageBytes;
using layout::PageDescriptor;
using layout::PageEntry;
using layout::PageKind;
using layout::TableWord;

BlockMemory::BlockMemory(std::byte* base, std::uint64_t segment_bytes,
                         const std::atomic<std::uint64_t>* reserved, Populate populate)
    : base_(base),
      geometry_(Geometry::of(segment_bytes)),
      reserved_(reserved),
      populate_(std::move(populate)) {
  if (reserved_ == nullptr) {
    present_bytes_.store(geometry_.page_count * kPageBytes, std::memory_order_relaxed);
  } else {
    populated_ = std::make_unique<std::atomic<std::uint64_t>[]>(geometry_.page_count / 64 + 1);
  }
}

bool BlockMemory::holds_slow(std::uint64_t at, std::uint64_t bytes) const noexcept {
  const std::uint64_t heap_bytes = geometry_.page_count * kPageBytes;
  if (!fits(at, bytes, heap_bytes)) return false;
  if (reserved_ == nullptr) return true;
  const std::uint64_t reserved = reserved_->load(std::memory_order_acquire);
  if (reserved > geometry_.heap_at) {
    const std::uint64_t present =
        std::min(reserved - geometry_.heap_at, heap_bytes) & ~(kPageBytes - 1);
    // Relaxed: a private cache of a word that only grows; an older value costs a slow path.
    if (present > present_bytes_.load(std::memory_order_relaxed)) {
      present_bytes_.store(present, std::memory_order_relaxed);
    }
    if (fits(at, bytes, present)) return true;
  }
  for (std::uint64_t page = at / kPageBytes; page * kPageBytes < at + bytes; ++page) {
    if ((page + 1) * kPageBytes > present_bytes_.load(std::memory_order_relaxed) &&
        !populate_page(page)) {
      return false;
    }
  }
  return true;
}

bool BlockMemory::populate_page(std::uint64_t page) const noexcept {
  auto& word = populated_[page / 64];
  const std::uint64_t bit = std::uint64_t{1} << (page % 64);
  if ((word.load(std::memory_order_relaxed) & bit) != 0) return true;
  if (!populate_) return false;
  const std::uint64_t descriptor = layout::kPageTableAt + page * sizeof(PageDescriptor);
  if (!populate_(descriptor, sizeof(PageDescriptor)) ||
      !populate_(geometry_.page_at(page), kPageBytes)) {
    return false;
  }
  word.fetch_or(bit, std::memory_order_relaxed);
  return true;
}

bool BlockMemory::check_table(TableWord word) const noexcept {
  const unsigned log2 = word.log2_slots();
  if (log2 < layout::kMinTableLog2 || log2 > layout::kMaxTableLog2) return false;
  const std::uint64_t pages = word.slots() * sizeof(layout::Slot) / kPageBytes;
  if (!fits(word.page(), pages, geometry_.page_count) || !has_pages(word.page(), pages)) {
    return false;
  }
  checked_table_.store(word.word, std::memory_order_relaxed);
  return true;
}

std::uint64_t BlockMemory::chunk_bytes(PageEntry entry, std::uint64_t offset) const noexcept {
  const std::uint64_t in_page = (offset - geometry_.heap_at) % kPageBytes;
  if (entry.kind == PageKind::run_head) {
    if (in_page != 0) return 0;
    const std::uint64_t page = page_of(offset);
    const std::uint64_t pages = descriptor(page).run_pages.load(std::memory_order_relaxed);
    return fits(page, pages, geometry_.page_count) ? pages * kPageBytes : 0;
  }
  if (entry.kind != PageKind::chunks || entry.size_class >= kClassBytes.size()) return 0;
  const std::uint64_t bytes = kClassBytes[entry.size_class];
  return in_page % bytes == 0 && in_page + bytes <= kPageBytes ? bytes : 0;
}

std::optional<layout::Gen> BlockMemory::authentic_gen(std::uint64_t offset) const noexcept {
  const layout::Node* at = node(offset);
  if (at == nullptr) return std::nullopt;
  const PageDescriptor& page = descriptor(page_of(offset));
  const std::uint64_t entry = page.entry.load(std::memory_order_acquire);
  if (chunk_bytes(PageEntry::unpack(entry), offset) == 0) return std::nullopt;
  const layout::Gen gen = at->gen.load(std::memory_order_acquire);
  // Acquire above keeps this load behind: equal entries mean that gen was read in between.
  if (page.entry.load(std::memory_order_relaxed) != entry) return std::nullopt;
  return gen;
}

}  // namespace sessionblocks::segment
