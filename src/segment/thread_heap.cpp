#include "segment/thread_heap.hpp"

#include "core/crash_point.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

namespace sessionblocks::segment {

using layout::Gen;
using layout::incarnation_of;
using layout::make_gen;
using layout::Node;
using layout::NodeState;
using layout::PageDescriptor;
using layout::PageEntry;
using layout::PageKind;
using layout::state_of;

void ThreadHeap::FreeArray::operator()(OwnPage** pages) const noexcept {
  std::free(pages);
}

ThreadHeap::ThreadHeap(BlockMemory& memory, layout::ReadersSegment* readers,
                       layout::SideIntent& side, std::uint16_t open, OwnerId owner)
    : memory_(&memory),
      readers_(readers),
      side_(side),
      open_(open),
      owner_(owner),
      pool_(memory, owner),
      hazard_(readers, owner),
      // calloc maps large arrays lazily: a pointer per page costs memory only where it is used.
      own_(static_cast<OwnPage**>(std::calloc(memory.page_count() + 1, sizeof(OwnPage*)))) {
  if (!own_) throw std::bad_alloc();
  resting_.reserve(kRestingBatch + layout::kHazards);
  hazards_.reserve(layout::kHazards);
}

ThreadHeap::~ThreadHeap() {
  hazard_.leave();
}

std::uint64_t ThreadHeap::next_incarnation() noexcept {
  if (!has_incarnation()) {
    // Relaxed: only uniqueness matters. A kill after it wastes one number of 2^30.
    thread_number_ = memory_->header().next_thread_number.fetch_add(1, std::memory_order_relaxed);
    counter_ = 0;
    if (thread_number_ == 0 || thread_number_ > layout::kMaxThreadNumber) {
      thread_number_ = 0;
      return 0;
    }
  }
  return next_incarnation_at_hand();
}

Chunk ThreadHeap::take(std::uint64_t bytes, Claim purpose) {
  const std::uint8_t size_class = class_of(bytes);
  if (size_class == kRunClass) return take_run(bytes, purpose);
  std::uint64_t offset = pop_ready(size_class);
  if (offset == 0 && refill(size_class, purpose)) offset = pop_ready(size_class);
  if (offset == 0) {
    if (const Chunk chunk = steal_remembered(bytes); chunk.offset != 0) return chunk;
    if (refill_desperately(size_class, purpose)) offset = pop_ready(size_class);
  }
  if (offset != 0) return {offset, kClassBytes[size_class], 0};
  return steal(bytes);
}

// Moves on to a page with ready chunks. False: none has any.
bool ThreadHeap::has_ready(std::uint8_t size_class) {
  OwnPage*& current = current_[size_class];
  if (current != nullptr && current->ready > 0) return true;
  auto& listed = with_ready_[size_class];
  while (!listed.empty()) {
    OwnPage* own = listed.back();
    listed.pop_back();
    own->is_listed = false;
    if (own->ready == 0) continue;
    current = own;
    return true;
  }
  return false;
}

std::uint64_t ThreadHeap::pop_ready(std::uint8_t size_class) noexcept {
  return has_ready(size_class) ? pop_ready_of(*current_[size_class]) : 0;
}

bool ThreadHeap::refill(std::uint8_t size_class, Claim purpose) {
  collect_some(size_class, kHintPagesPerRefill);
  recycle();
  if (has_ready(size_class)) return true;
  if (adopt(size_class, false) && (recycle(), has_ready(size_class))) return true;
  const auto page = pool_.claim_chunks(size_class, purpose);
  if (!page) return false;
  OwnPage& own = own_page(*page, size_class);
  for (std::uint32_t chunk = 0; chunk < chunks_per_page(size_class); ++chunk) {
    own.ready_bits[chunk / 64] |= std::uint64_t{1} << (chunk % 64);
  }
  own.ready = chunks_per_page(size_class);
  current_[size_class] = &own;
  return true;
}

// The block is full as far as we could see cheaply: look at everything once.
void ThreadHeap::reclaim_everything() {
  for (std::size_t c = 0; c < kClassBytes.size(); ++c) {
    collect_some(static_cast<std::uint8_t>(c), SIZE_MAX);
  }
  (void)adopt(0, true);
  recycle();
  for (std::size_t c = 0; c < kClassBytes.size(); ++c) {
    for (OwnPage* own : std::vector<OwnPage*>(by_class_[c])) {
      if (own->ready == chunks_per_page(own->size_class)) return_idle(*own);
    }
  }
  return_freed_runs();
}

bool ThreadHeap::refill_desperately(std::uint8_t size_class, Claim purpose) {
  reclaim_everything();
  return refill(size_class, purpose);
}

ThreadHeap::OwnPage& ThreadHeap::own_page(std::uint64_t page, std::uint8_t size_class) {
  // Ours already, and got again: its entry was scribbled over. What we knew of it is void.
  if (own_[page] != nullptr) forget_page(*own_[page]);
  all_.push_back(std::make_unique<OwnPage>());
  OwnPage& own = *all_.back();
  own.page = page;
  own.size_class = size_class;
  own.chunks = chunks_per_page(size_class);
  PageEntry entry =
      PageEntry::unpack(memory_->descriptor(page).entry.load(std::memory_order_acquire));
  entry.kind = PageKind::chunks;
  entry.size_class = size_class;
  entry.owner = owner_;
  own.entry = entry.pack();
  own_[page] = &own;
  by_class_[size_class].push_back(&own);
  // Room for every page: a commit that frees a node lists its page and must not allocate.
  with_ready_[size_class].reserve(by_class_[size_class].capacity());
  return own;
}

inline void ThreadHeap::make_ready(std::uint64_t offset) {
  OwnPage* const own = own_[memory_->page_of(offset)];
  if (own == nullptr) return;  // of a page that was forgotten
  const std::uint32_t chunk = chunk_of(*own, offset);
  if (chunk >= own->chunks) return;
  const std::uint64_t bit = std::uint64_t{1} << (chunk % 64);
  if ((own->ready_bits[chunk / 64] & bit) != 0) return;
  own->ready_bits[chunk / 64] |= bit;
  ++own->ready;
  OwnPage* const current = current_[own->size_class];
  if (own == current) return;
  if (!own->is_listed) list_ready(*own);
  if (own->ready == own->chunks && current != nullptr && current->ready > 0) return_idle(*own);
}

void ThreadHeap::list_ready(OwnPage& own) {
  own.is_listed = true;
  with_ready_[own.size_class].push_back(&own);
}

void ThreadHeap::return_idle(OwnPage& own) {
  const std::uint64_t page = own.page;
  forget_page(own);
  pool_.return_page(page);
}

void ThreadHeap::forget_page(OwnPage& own) {
  const std::uint64_t page = own.page;
  auto& listed = with_ready_[own.size_class];
  if (own.is_listed) listed.erase(std::find(listed.begin(), listed.end(), &own));
  auto& pages = by_class_[own.size_class];
  if (current_[own.size_class] == &own) current_[own.size_class] = nullptr;
  pages.erase(std::find(pages.begin(), pages.end(), &own));
  own_[page] = nullptr;
  all_.erase(std::find_if(all_.begin(), all_.end(),
                          [&](const auto& candidate) { return candidate.get() == &own; }));
}

std::optional<std::uint64_t> ThreadHeap::next_page_of_other_class(std::uint8_t size_class) {
  for (std::size_t i = 0; i < all_.size(); ++i) {
    const OwnPage& own = *all_[++page_cursor_ % all_.size()];
    if (own.size_class != size_class) return own.page;
  }
  return std::nullopt;
}

void ThreadHeap::recycle() {
  if (resting_.empty()) return;
  hazards_of(readers_, hazards_);
  // In place: a commit frees its old node through here and must not allocate.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < resting_.size(); ++i) {
    const std::uint64_t offset = resting_[i];
    const bool is_held =
        !hazards_.empty() && std::find(hazards_.begin(), hazards_.end(), offset) != hazards_.end();
    if (is_held) {
      resting_[kept++] = offset;
    } else {
      make_ready(offset);
    }
  }
  resting_.resize(kept);
}

void ThreadHeap::collect_some(std::uint8_t size_class, std::size_t most) {
  auto& pages = by_class_[size_class];
  const std::size_t count = std::min(most, pages.size());
  for (std::size_t i = 0; i < count; ++i) {
    hint_cursor_[size_class] = (hint_cursor_[size_class] + 1) % pages.size();
    collect_hints(*pages[hint_cursor_[size_class]]);
  }
}

void ThreadHeap::collect_hints(OwnPage& own) {
  PageDescriptor& descriptor = memory_->descriptor(own.page);
  for (unsigned word = 0; word < layout::kHintWords; ++word) {
    auto& hints = descriptor.freed_hints[word];
    if (hints.load(std::memory_order_relaxed) == 0) continue;
    std::uint64_t bits = hints.exchange(0, std::memory_order_acquire);
    for (; bits != 0; bits &= bits - 1) {
      const unsigned chunk = word * 64 + static_cast<unsigned>(std::countr_zero(bits));
      if (chunk >= chunks_per_page(own.size_class)) break;
      const std::uint64_t offset = memory_->geometry().page_at(own.page) +
                                   std::uint64_t{chunk} * kClassBytes[own.size_class];
      auto& gen = reinterpret_cast<Node*>(memory_->base() + offset)->gen;
      Gen seen = gen.load(std::memory_order_acquire);
      // A hint alone frees nothing; and a thief may be taking the chunk at this moment.
      if (state_of(seen) != NodeState::freed) continue;
      if (gen.compare_exchange_strong(seen, make_gen(incarnation_of(seen), NodeState::collected),
                                      std::memory_order_acq_rel)) {
        resting_.push_back(offset);
      }
    }
  }
}

bool ThreadHeap::adopt(std::uint8_t size_class, bool any_class) {
  auto& header = memory_->header();
  const std::uint64_t orphans = header.orphan_pages.load(std::memory_order_acquire);
  if (orphans == seen_orphans_ && !any_class) return false;
  const std::uint64_t top =
      std::min(header.page_watermark.load(std::memory_order_acquire), memory_->page_count());
  bool adopted = false;
  for (std::uint64_t page = 0; page < top && !(adopted && !any_class); ++page) {
    if (!memory_->has_pages(page, 1)) break;
    const std::uint64_t word = memory_->descriptor(page).entry.load(std::memory_order_acquire);
    const PageEntry entry = PageEntry::unpack(word);
    if (entry.kind != PageKind::chunks || raw(entry.owner) != 0) continue;
    if (entry.size_class >= kClassBytes.size()) continue;
    if (!any_class && entry.size_class != size_class) continue;
    adopted = adopt_page(page, word) || adopted;
  }
  if (!adopted) seen_orphans_ = orphans;
  return adopted;
}

bool ThreadHeap::adopt_page(std::uint64_t page, std::uint64_t entry_word) {
  PageEntry entry = PageEntry::unpack(entry_word);
  entry.owner = owner_;
  SESSIONBLOCKS_CRASH("page.before_adopt");
  if (!memory_->descriptor(page).entry.compare_exchange_strong(entry_word, entry.pack(),
                                                               std::memory_order_acq_rel)) {
    return false;
  }
  OwnPage& own = own_page(page, entry.size_class);
  // Locked, so that it comes before the loads of the gens: a chunk that is freed after its gen was
  // looked at keeps its hint.
  for (auto& hints : memory_->descriptor(page).freed_hints) {
    hints.exchange(0, std::memory_order_acq_rel);
  }
  for (std::uint32_t chunk = 0; chunk < chunks_per_page(entry.size_class); ++chunk) {
    const std::uint64_t offset =
        memory_->geometry().page_at(page) + std::uint64_t{chunk} * kClassBytes[entry.size_class];
    auto& gen = reinterpret_cast<Node*>(memory_->base() + offset)->gen;
    Gen seen = gen.load(std::memory_order_acquire);
    if (state_of(seen) == NodeState::in_use) continue;
    const Gen mine = seen == 0 ? 0 : make_gen(incarnation_of(seen), NodeState::collected);
    if (gen.compare_exchange_strong(seen, mine, std::memory_order_acq_rel)) {
      resting_.push_back(offset);
    }
  }
  (void)own;
  return true;
}

void ThreadHeap::put_back(const Chunk& chunk, Gen gen) noexcept {
  if (gen == 0) {
    if (chunk.steal_from != 0) return hazard_.clear();  // it was never ours
    if (class_of(chunk.bytes) == kRunClass) return pool_.return_run(memory_->page_of(chunk.offset));
    return make_ready(chunk.offset);
  }
  // It was never in a slot, so no reader can hold it: no need to rest.
  auto& word = reinterpret_cast<Node*>(memory_->base() + chunk.offset)->gen;
  if (chunk.steal_from != 0) return free_node(chunk.offset, gen);
  if (class_of(chunk.bytes) == kRunClass) return free_run(chunk.offset, gen);
  word.store(make_gen(incarnation_of(gen), NodeState::collected), std::memory_order_release);
  make_ready(chunk.offset);
}

void ThreadHeap::free_node(std::uint64_t offset, Gen gen) {
  Node* node = memory_->node(offset);
  if (node == nullptr) return;
  if (resting_.size() >= kRestingBatch) recycle();
  if (free_at_hand(*node, offset, gen)) return;
  const std::uint64_t page = memory_->page_of(offset);
  PageDescriptor& descriptor = memory_->descriptor(page);
  const PageEntry entry = PageEntry::unpack(descriptor.entry.load(std::memory_order_acquire));
  const std::uint64_t chunk_bytes = memory_->chunk_bytes(entry, offset);
  if (chunk_bytes == 0) return;  // scribbled over: fsck names it
  if (entry.kind == PageKind::run_head) return free_run(offset, gen);
  SESSIONBLOCKS_CRASH("free.before_freed");
  node->gen.store(make_gen(incarnation_of(gen), NodeState::freed), std::memory_order_release);
  SESSIONBLOCKS_CRASH("free.before_hint");
  const std::uint64_t chunk = (offset - memory_->geometry().page_at(page)) / chunk_bytes;
  descriptor.freed_hints[chunk / 64].fetch_or(std::uint64_t{1} << (chunk % 64),
                                              std::memory_order_release);
}

}  // namespace sessionblocks::segment
