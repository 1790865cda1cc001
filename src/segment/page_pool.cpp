#include "segment/page_pool.hpp"

#include "core/crash_point.hpp"
#include "segment/size_class.hpp"

namespace sessionblocks::segment {

using layout::kPageBytes;
using layout::PageDescriptor;
using layout::PageEntry;
using layout::PageKind;

namespace {

// Gens of a page cut anew must not be read out of a former user's bytes.
void cut(BlockMemory& memory, std::uint64_t page, std::uint8_t size_class) noexcept {
  for (std::uint64_t at = 0; at + kClassBytes[size_class] <= kPageBytes;
       at += kClassBytes[size_class]) {
    reinterpret_cast<layout::Node*>(memory.page_bytes(page) + at)
        ->gen.store(0, std::memory_order_relaxed);
  }
  for (auto& hints : memory.descriptor(page).freed_hints) {
    hints.store(0, std::memory_order_relaxed);
  }
}

}  // namespace

bool PagePool::claim_page(std::uint64_t page) noexcept {
  if (!memory_->make_present(page)) return false;
  PageDescriptor& descriptor = memory_->descriptor(page);
  std::uint64_t word = descriptor.entry.load(std::memory_order_relaxed);
  PageEntry entry = PageEntry::unpack(word);
  if (entry.kind != PageKind::free) return false;
  entry.kind = PageKind::claimed;
  entry.size_class = 0;
  ++entry.epoch;
  entry.owner = owner_;
  SESSIONBLOCKS_CRASH("page.before_claim");
  // R1 (acq_rel): the new epoch before the bytes that follow: a reader that copied some of them
  // finds another entry. Pairs with BlockMemory::authentic_gen.
  const bool won =
      descriptor.entry.compare_exchange_strong(word, entry.pack(), std::memory_order_acq_rel);
  if (won) std::atomic_thread_fence(std::memory_order_release);
  SESSIONBLOCKS_CRASH("page.claimed");
  return won;
}

void PagePool::set_kind(std::uint64_t page, PageKind kind, std::uint8_t size_class) noexcept {
  PageDescriptor& descriptor = memory_->descriptor(page);
  PageEntry entry = PageEntry::unpack(descriptor.entry.load(std::memory_order_relaxed));
  entry.kind = kind;
  entry.size_class = size_class;
  // R2 (release): gens, hints and run fields before the kind that makes them count.
  descriptor.entry.store(entry.pack(), std::memory_order_release);
}

std::optional<std::uint64_t> PagePool::claim_chunks(std::uint8_t size_class, Claim purpose) {
  const auto page = claim_run(1, purpose);
  if (!page) return std::nullopt;
  cut(*memory_, *page, size_class);
  SESSIONBLOCKS_CRASH("page.cut");
  set_kind(*page, PageKind::chunks, size_class);
  return page;
}

std::optional<std::uint64_t> PagePool::claim_row(std::uint64_t first, std::uint64_t pages) {
  for (std::uint64_t i = 0; i < pages; ++i) {
    if (claim_page(first + i)) continue;
    while (i-- > 0) return_page(first + i);
    return std::nullopt;
  }
  // The head's fields first: recovery frees parts whose head does not name them.
  memory_->descriptor(first).run_pages.store(static_cast<std::uint32_t>(pages),
                                             std::memory_order_relaxed);
  for (auto& hints : memory_->descriptor(first).freed_hints) {
    hints.store(0, std::memory_order_relaxed);
  }
  for (std::uint64_t i = 1; i < pages; ++i) {
    memory_->descriptor(first + i).run_head.store(static_cast<std::uint32_t>(first),
                                                  std::memory_order_relaxed);
    set_kind(first + i, PageKind::run_part, 0);
    SESSIONBLOCKS_CRASH("run.part");
  }
  return first;
}

bool PagePool::is_free(std::uint64_t page) const noexcept {
  const auto word = memory_->descriptor(page).entry.load(std::memory_order_relaxed);
  return PageEntry::unpack(word).kind == PageKind::free;
}

std::optional<std::uint64_t> PagePool::find_page(std::uint64_t top) {
  for (std::uint64_t i = 0; i < top; ++i) {
    const std::uint64_t page = (scan_from_ + i) % top;
    if (!memory_->has_pages(page, 1)) return std::nullopt;
    if (!is_free(page) || !claim_row(page, 1)) continue;
    scan_from_ = page + 1;
    return page;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> PagePool::find_row(std::uint64_t pages, std::uint64_t top) {
  std::uint64_t row = 0;
  for (std::uint64_t page = 0; page < top; ++page) {
    if (!memory_->has_pages(page, 1)) return std::nullopt;
    row = is_free(page) ? row + 1 : 0;
    if (row < pages) continue;
    if (const auto first = claim_row(page + 1 - pages, pages)) return first;
    row = 0;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> PagePool::find_below_watermark(std::uint64_t pages,
                                                            std::uint64_t limit) {
  const std::uint64_t watermark = memory_->header().page_watermark.load(std::memory_order_acquire);
  const std::uint64_t top = std::min(watermark, limit);
  return pages == 1 ? find_page(top) : find_row(pages, top);
}

std::optional<std::uint64_t> PagePool::claim_run(std::uint64_t pages, Claim purpose) {
  auto& header = memory_->header();
  const std::uint64_t count = memory_->page_count();
  const std::uint64_t kept = pages_kept(count, purpose);
  const std::uint64_t limit = count > kept ? count - kept : 0;
  if (pages == 0 || pages > limit) return std::nullopt;
  const std::uint64_t returned = header.returned_pages.load(std::memory_order_relaxed);
  if (returned != seen_returned_) {
    if (const auto page = find_below_watermark(pages, limit)) return page;
    if (pages == 1) seen_returned_ = returned;
  }
  std::uint64_t top = header.page_watermark.load(std::memory_order_relaxed);
  while (top <= limit && pages <= limit - top) {
    // A kill right after leaves free pages below the watermark: scans see them.
    if (!header.page_watermark.compare_exchange_weak(top, top + pages, std::memory_order_acq_rel)) {
      continue;
    }
    SESSIONBLOCKS_CRASH("page.watermark");
    if (const auto page = claim_row(top, pages)) return page;
    if (!memory_->make_present(top)) break;  // /dev/shm is full
    top = header.page_watermark.load(std::memory_order_relaxed);
  }
  return find_below_watermark(pages, limit);
}

void PagePool::publish_head(std::uint64_t page, PageKind kind) noexcept {
  SESSIONBLOCKS_CRASH("run.before_head");
  set_kind(page, kind, kind == PageKind::run_head ? kRunClass : 0);
}

void PagePool::disown(std::uint64_t page) noexcept {
  PageDescriptor& descriptor = memory_->descriptor(page);
  std::uint64_t word = descriptor.entry.load(std::memory_order_relaxed);
  PageEntry entry = PageEntry::unpack(word);
  if (entry.owner != owner_) return;
  entry.owner = OwnerId{};
  descriptor.entry.compare_exchange_strong(word, entry.pack(), std::memory_order_acq_rel);
}

bool PagePool::own(std::uint64_t page) noexcept {
  PageDescriptor& descriptor = memory_->descriptor(page);
  std::uint64_t word = descriptor.entry.load(std::memory_order_relaxed);
  PageEntry entry = PageEntry::unpack(word);
  if (entry.kind != PageKind::table_head || raw(entry.owner) != 0) return false;
  entry.owner = owner_;
  return descriptor.entry.compare_exchange_strong(word, entry.pack(), std::memory_order_acq_rel);
}

void PagePool::return_page(std::uint64_t page) noexcept {
  // Recovery may take a dead owner off it meanwhile.
  while (!return_page(page, memory_->descriptor(page).entry.load(std::memory_order_relaxed))) {
  }
}

bool PagePool::return_page(std::uint64_t page, std::uint64_t entry_word) noexcept {
  PageDescriptor& descriptor = memory_->descriptor(page);
  PageEntry entry = PageEntry::unpack(entry_word);
  entry.kind = PageKind::free;
  entry.size_class = 0;
  entry.owner = OwnerId{};
  ++entry.epoch;
  SESSIONBLOCKS_CRASH("page.before_return");
  if (!descriptor.entry.compare_exchange_strong(entry_word, entry.pack(),
                                                std::memory_order_acq_rel)) {
    return false;
  }
  memory_->header().returned_pages.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void PagePool::return_run(std::uint64_t head) noexcept {
  const std::uint64_t pages = memory_->descriptor(head).run_pages.load(std::memory_order_relaxed);
  if (pages == 0 || !fits(head, pages, memory_->page_count())) return;  // scribbled: fsck names it
  for (std::uint64_t page = head + pages - 1; page > head; --page) {
    const PageDescriptor& part = memory_->descriptor(page);
    const auto entry = PageEntry::unpack(part.entry.load(std::memory_order_acquire));
    // A part that was returned before a crash may have another user by now.
    if (entry.kind != PageKind::run_part || part.run_head.load(std::memory_order_relaxed) != head) {
      continue;
    }
    return_page(page);
  }
  return_page(head);
}

}  // namespace sessionblocks::segment
