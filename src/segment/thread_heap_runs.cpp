// ThreadHeap: nodes that fill pages of their own, and chunks stolen from idle owners.
#include "core/crash_point.hpp"
#include "segment/thread_heap.hpp"

#include <algorithm>
#include <bit>

namespace sessionblocks::segment {

using layout::Gen;
using layout::incarnation_of;
using layout::make_gen;
using layout::Node;
using layout::NodeState;
using layout::PageDescriptor;
using layout::PageEntry;
using layout::PageKind;
using layout::SideKind;
using layout::state_of;

Chunk ThreadHeap::take_run(std::uint64_t bytes, Claim purpose) {
  const std::uint64_t pages = run_pages_of(bytes);
  auto head = pool_.claim_run(pages, purpose);
  if (!head) {
    reclaim_everything();
    head = pool_.claim_run(pages, purpose);
    if (!head) return {};
  }
  const std::uint64_t offset = memory_->geometry().page_at(*head);
  reinterpret_cast<Node*>(memory_->base() + offset)->gen.store(0, std::memory_order_relaxed);
  pool_.publish_head(*head, PageKind::run_head);
  return {offset, pages * layout::kPageBytes, 0};
}

void ThreadHeap::free_run(std::uint64_t offset, Gen gen) {
  const Gen freed = make_gen(incarnation_of(gen), NodeState::freed);
  const bool held = hazard_.protect(offset);
  SESSIONBLOCKS_CRASH("run.before_freed");
  reinterpret_cast<Node*>(memory_->base() + offset)->gen.store(freed, std::memory_order_release);
  if (held) try_return_run(offset, freed);
  hazard_.clear();
}

// Precondition: our hazard is on the run, so that nobody else can have given its pages away when
// we swap its gen. Whoever swaps `freed` for a gen of its own returns the run; its side intent
// says so. A reader's hazard leaves the run to whoever needs memory later.
void ThreadHeap::try_return_run(std::uint64_t offset, Gen freed) {
  const std::uint64_t incarnation = next_incarnation();
  if (incarnation == 0 || hazards_on(offset) > 1) return;
  const Gen mine = make_gen(incarnation, NodeState::collected);
  side_.open.store(open_, std::memory_order_relaxed);
  side_.old.store(offset, std::memory_order_relaxed);
  side_.old_gen.store(freed, std::memory_order_relaxed);
  side_.mine.store(mine, std::memory_order_relaxed);
  side_.kind.store(static_cast<std::uint64_t>(SideKind::return_run), std::memory_order_release);
  SESSIONBLOCKS_CRASH("run.return_armed");
  Gen expected = freed;
  if (reinterpret_cast<Node*>(memory_->base() + offset)
          ->gen.compare_exchange_strong(expected, mine, std::memory_order_acq_rel)) {
    SESSIONBLOCKS_CRASH("run.return_won");
    pool_.return_run(memory_->page_of(offset));
  }
  side_.kind.store(0, std::memory_order_release);
}

void ThreadHeap::return_freed_runs() {
  const std::uint64_t top = std::min(
      memory_->header().page_watermark.load(std::memory_order_acquire), memory_->page_count());
  for (std::uint64_t page = 0; page < top; ++page) {
    if (!memory_->has_pages(page, 1)) return;
    const auto entry =
        PageEntry::unpack(memory_->descriptor(page).entry.load(std::memory_order_acquire));
    const std::uint64_t offset = memory_->geometry().page_at(page);
    if (entry.kind != PageKind::run_head || !hazard_.protect(offset)) continue;
    const auto gen = memory_->authentic_gen(offset);
    if (gen && state_of(*gen) == NodeState::freed) try_return_run(offset, *gen);
    hazard_.clear();
  }
}

unsigned ThreadHeap::hazards_on(std::uint64_t offset) {
  hazards_of(readers_, hazards_);
  return static_cast<unsigned>(std::count(hazards_.begin(), hazards_.end(), offset));
}

Chunk ThreadHeap::steal(std::uint64_t bytes) {
  const std::uint64_t top = std::min(
      memory_->header().page_watermark.load(std::memory_order_acquire), memory_->page_count());
  for (std::uint64_t i = 0; i < top; ++i) {
    const std::uint64_t page = (steal_cursor_ + i) % top;
    if (!memory_->has_pages(page, 1)) continue;
    PageDescriptor& descriptor = memory_->descriptor(page);
    const auto entry = PageEntry::unpack(descriptor.entry.load(std::memory_order_acquire));
    if (entry.kind != PageKind::chunks || entry.size_class >= kClassBytes.size()) continue;
    const std::uint64_t chunk_bytes = kClassBytes[entry.size_class];
    if (chunk_bytes < bytes) continue;
    for (unsigned word = 0; word < layout::kHintWords; ++word) {
      std::uint64_t bits = descriptor.freed_hints[word].load(std::memory_order_acquire);
      for (; bits != 0; bits &= bits - 1) {
        const std::uint64_t chunk = word * 64 + static_cast<unsigned>(std::countr_zero(bits));
        if (chunk >= chunks_per_page(entry.size_class)) break;
        const Chunk got =
            try_steal(memory_->geometry().page_at(page) + chunk * chunk_bytes, chunk_bytes);
        if (got.offset == 0) continue;
        steal_cursor_ = page;
        return got;
      }
    }
  }
  return {};
}

void ThreadHeap::remember_freed(std::uint64_t offset) {
  constexpr std::size_t kMost = 64;
  if (freed_elsewhere_.size() < kMost) freed_elsewhere_.push_back(offset);
}

Chunk ThreadHeap::steal_remembered(std::uint64_t bytes) {
  for (std::size_t i = freed_elsewhere_.size(); i-- > 0;) {
    const std::uint64_t offset = freed_elsewhere_[i];
    const auto& descriptor = memory_->descriptor(memory_->page_of(offset));
    const auto entry = PageEntry::unpack(descriptor.entry.load(std::memory_order_acquire));
    const std::uint64_t chunk_bytes = memory_->chunk_bytes(entry, offset);
    const bool is_chunk = entry.kind == PageKind::chunks && chunk_bytes != 0;
    if (is_chunk && chunk_bytes < bytes) continue;  // for another write
    freed_elsewhere_.erase(freed_elsewhere_.begin() + static_cast<std::ptrdiff_t>(i));
    if (!is_chunk) continue;
    if (const Chunk got = try_steal(offset, chunk_bytes); got.offset != 0) return got;
  }
  return {};
}

// The hazard comes first: while it stands the owner may collect the chunk but neither reuse it nor
// give its page back, so the gen that we are about to swap is a gen and not a user's bytes.
Chunk ThreadHeap::try_steal(std::uint64_t offset, std::uint64_t chunk_bytes) {
  if (!hazard_.protect(offset)) return {};
  const auto gen = memory_->authentic_gen(offset);
  const auto entry = PageEntry::unpack(
      memory_->descriptor(memory_->page_of(offset)).entry.load(std::memory_order_acquire));
  if (gen && state_of(*gen) == NodeState::freed &&
      memory_->chunk_bytes(entry, offset) == chunk_bytes && hazards_on(offset) == 1) {
    return {offset, chunk_bytes, *gen};
  }
  hazard_.clear();
  return {};
}

// The loser leaves the hint alone: the winner's node may be freed, and hinted, again by now.
void ThreadHeap::stolen(const Chunk& chunk, bool won) noexcept {
  if (!won) return hazard_.clear();
  const std::uint64_t page = memory_->page_of(chunk.offset);
  const std::uint64_t number = (chunk.offset - memory_->geometry().page_at(page)) / chunk.bytes;
  memory_->descriptor(page).freed_hints[number / 64].fetch_and(~(std::uint64_t{1} << (number % 64)),
                                                               std::memory_order_relaxed);
  hazard_.clear();
}

namespace {

// A part counts only while a head, or a claimer that still builds the run, covers it.
bool part_has_head(const BlockMemory& memory, std::uint64_t page) {
  const std::uint64_t head = memory.descriptor(page).run_head.load(std::memory_order_relaxed);
  if (head >= page || !memory.has_pages(head, 1)) return false;
  const auto entry =
      PageEntry::unpack(memory.descriptor(head).entry.load(std::memory_order_acquire));
  const std::uint64_t pages = memory.descriptor(head).run_pages.load(std::memory_order_relaxed);
  return (entry.kind == PageKind::run_head || entry.kind == PageKind::table_head) &&
         page < head + pages;
}

// A table that was current once may be named by the intent of a thread that sleeps, however long
// ago the header forgot it: only the director, which looks at all intents, gives it back.
bool was_never_current(const BlockMemory& memory, std::uint64_t page) {
  const auto& header = memory.header();
  const layout::TableWord next{header.next_table.load(std::memory_order_acquire)};
  if (next.is_table() && next.page() == page) return false;
  const layout::TableWord table{header.table.load(std::memory_order_acquire)};
  return memory.descriptor(page).run_head.load(std::memory_order_relaxed) > table.id();
}

// Takes the owner off one page, or gives it back. True when it lost its owner.
bool orphan_page(BlockMemory& memory, PagePool& pool, std::uint64_t page, std::uint64_t word) {
  PageDescriptor& descriptor = memory.descriptor(page);
  PageEntry entry = PageEntry::unpack(word);
  SESSIONBLOCKS_CRASH("orphan.page");
  const auto state = state_of(
      reinterpret_cast<const Node*>(memory.page_bytes(page))->gen.load(std::memory_order_acquire));
  const bool holds_nothing = entry.kind == PageKind::claimed ||
                             (entry.kind == PageKind::run_part && !part_has_head(memory, page));
  if (holds_nothing) {
    // From the word that was judged: a living thread may have returned the part's run since, and
    // another be using the page.
    pool.return_page(page, word);
    return false;
  }
  if ((entry.kind == PageKind::table_head && was_never_current(memory, page)) ||
      // A collected run is being given back, perhaps by a living thread that did not own it: its
      // side intent says so, and its recovery does it, should it die.
      (entry.kind == PageKind::run_head && state == NodeState::untouched)) {
    pool.return_run(page);
    return false;
  }
  if (entry.kind == PageKind::run_part || entry.kind == PageKind::free) return false;
  entry.owner = OwnerId{};
  return descriptor.entry.compare_exchange_strong(word, entry.pack(), std::memory_order_acq_rel);
}

template <typename IsOwner>
std::uint64_t orphan_pages(BlockMemory& memory, IsOwner&& is_owner) {
  auto& header = memory.header();
  PagePool pool(memory, OwnerId{});
  const std::uint64_t top =
      std::min(header.page_watermark.load(std::memory_order_acquire), memory.page_count());
  std::uint64_t orphans = 0;
  for (std::uint64_t page = 0; page < top && memory.has_pages(page, 1); ++page) {
    const std::uint64_t word = memory.descriptor(page).entry.load(std::memory_order_acquire);
    const OwnerId owner = PageEntry::unpack(word).owner;
    if (raw(owner) == 0 || !is_owner(owner)) continue;
    if (orphan_page(memory, pool, page, word)) ++orphans;
  }
  if (orphans > 0) header.orphan_pages.fetch_add(orphans, std::memory_order_release);
  return orphans;
}

}  // namespace

std::uint64_t orphan_pages_of(BlockMemory& memory, OwnerId owner) {
  return orphan_pages(memory, [&](OwnerId candidate) { return candidate == owner; });
}

std::uint64_t orphan_pages_of(BlockMemory& memory, WorkerId worker) {
  return orphan_pages(memory, [&](OwnerId candidate) { return worker_of(candidate) == worker; });
}

}  // namespace sessionblocks::segment
