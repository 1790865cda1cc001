// The chunks of one thread in one block: takes ready ones, lets freed ones rest, reuses them.
//
// Private lists only; all that matters after a kill stands in the gens and page entries. A chunk
// goes ready -> in_use -> (freed) -> collected -> resting -> ready. Resting ends when no hazard
// names it, looked up for 64 at a time (the batching of Michael's hazard pointers).
//
// Memory that others own is reached in three ways: pages without an owner are adopted, freed runs
// are given back by whoever finds them, and a freed chunk of a living owner that is idle is
// stolen, one at a time, straight into use.
//
// Not thread-safe: one object per thread and block.
#pragma once

#include "layout/worker.hpp"
#include "segment/hazards.hpp"
#include "segment/page_pool.hpp"
#include "segment/size_class.hpp"

#include <bit>
#include <memory>
#include <optional>
#include <vector>

namespace sessionblocks::segment {

// A chunk to build a node in. Its gen is replaced by the taker under an armed intent: stored when
// `steal_from` is 0, else by compare-and-swap from it, and on failure another chunk is taken.
struct Chunk {
  std::uint64_t offset = 0;  // 0: none
  std::uint64_t bytes = 0;
  layout::Gen steal_from = 0;
};

class ThreadHeap {
 public:
  ThreadHeap(BlockMemory& memory, layout::ReadersSegment* readers, layout::SideIntent& side,
             std::uint16_t open, OwnerId owner);
  ~ThreadHeap();
  ThreadHeap(const ThreadHeap&) = delete;
  ThreadHeap& operator=(const ThreadHeap&) = delete;

  [[nodiscard]] Chunk take(std::uint64_t bytes, Claim purpose);
  // A chunk that was taken and not committed. `gen`: what its taker made of it, 0: nothing yet.
  void put_back(const Chunk& chunk, layout::Gen gen) noexcept;
  // The caller's compare-and-swap took this node off its chain; nobody else may free it.
  void free_node(std::uint64_t offset, layout::Gen gen);
  // Of another's page, and freed just now: take() looks here before it looks everywhere.
  void remember_freed(std::uint64_t offset);
  // A page of ours that is cut into chunks of another class than `size_class`, in turns; nullopt:
  // there is none.
  [[nodiscard]] std::optional<std::uint64_t> next_page_of_other_class(std::uint8_t size_class);
  void stolen(const Chunk& chunk, bool won) noexcept;  // the steal is over

  // A chunk that lies ready in the page that was used last; 0: take() looks further.
  [[nodiscard, gnu::always_inline]] std::uint64_t pop_ready_at_hand(
      std::uint8_t size_class) noexcept {
    if (size_class >= kClassBytes.size()) return 0;
    OwnPage* const own = current_[size_class];
    return own == nullptr || own->ready == 0 ? 0 : pop_ready_of(*own);
  }
  // free_node() of a chunk of ours; false: nothing is done. Precondition: `node` is at `offset`.
  [[nodiscard, gnu::always_inline]] bool free_at_hand(layout::Node& node, std::uint64_t offset,
                                                      layout::Gen gen) noexcept {
    const std::uint64_t page = memory_->page_of(offset);
    const OwnPage* const own = own_[page];
    if (own == nullptr || resting_.size() >= kRestingBatch ||
        memory_->descriptor(page).entry.load(std::memory_order_acquire) != own->entry ||
        chunk_of(*own, offset) >= own->chunks) {
      return false;
    }
    node.gen.store(make_gen(layout::incarnation_of(gen), layout::NodeState::collected),
                   std::memory_order_release);
    resting_.push_back(offset);
    return true;
  }
  // Whether next_incarnation_at_hand() has one.
  [[nodiscard]] bool has_incarnation() const noexcept {
    return thread_number_ != 0 && counter_ != UINT32_MAX;
  }
  [[nodiscard]] std::uint64_t next_incarnation_at_hand() noexcept {
    return layout::make_incarnation(thread_number_, ++counter_);
  }

  // An incarnation that was never used in this block. 0: the block has run out of them.
  [[nodiscard]] std::uint64_t next_incarnation() noexcept;
  // The upper half of the incarnations that it gives out now. 0: none yet.
  [[nodiscard]] std::uint64_t thread_number() const noexcept { return thread_number_; }
  [[nodiscard]] HazardSlot& hazard() noexcept { return hazard_; }
  [[nodiscard]] PagePool& pages() noexcept { return pool_; }
  [[nodiscard]] layout::SideIntent& side() noexcept { return side_; }
  [[nodiscard]] std::uint16_t open() const noexcept { return open_; }

 private:
  struct OwnPage {
    std::uint64_t page = 0;
    std::uint64_t entry = 0;  // what its descriptor says while it is ours
    std::uint8_t size_class = 0;
    std::uint32_t chunks = 0;
    std::uint32_t ready = 0;
    bool is_listed = false;  // in with_ready_
    std::uint64_t ready_bits[layout::kHintWords] = {};
  };
  struct FreeArray {
    void operator()(OwnPage** pages) const noexcept;
  };
  static constexpr std::size_t kRestingBatch = 64;
  static constexpr std::size_t kHintPagesPerRefill = 32;

  // Precondition: it has one.
  [[nodiscard]] std::uint64_t pop_ready_of(OwnPage& own) noexcept {
    for (unsigned word = 0;; ++word) {
      if (own.ready_bits[word] == 0) continue;
      const auto bit = static_cast<unsigned>(std::countr_zero(own.ready_bits[word]));
      own.ready_bits[word] &= own.ready_bits[word] - 1;
      --own.ready;
      return memory_->geometry().page_at(own.page) +
             std::uint64_t{word * 64 + bit} * kClassBytes[own.size_class];
    }
  }
  [[nodiscard]] std::uint64_t pop_ready(std::uint8_t size_class) noexcept;
  [[nodiscard]] bool refill(std::uint8_t size_class, Claim purpose);
  [[nodiscard]] bool refill_desperately(std::uint8_t size_class, Claim purpose);
  void reclaim_everything();
  [[nodiscard]] Chunk take_run(std::uint64_t bytes, Claim purpose);
  [[nodiscard]] Chunk steal(std::uint64_t bytes);
  [[nodiscard]] Chunk steal_remembered(std::uint64_t bytes);
  [[nodiscard]] Chunk try_steal(std::uint64_t offset, std::uint64_t chunk_bytes);

  OwnPage& own_page(std::uint64_t page, std::uint8_t size_class);
  void make_ready(std::uint64_t offset);
  void list_ready(OwnPage& own);
  [[nodiscard]] bool has_ready(std::uint8_t size_class);
  void recycle();
  void collect_hints(OwnPage& own);
  void collect_some(std::uint8_t size_class, std::size_t most);
  [[nodiscard]] bool adopt(std::uint8_t size_class, bool any_class);
  [[nodiscard]] bool adopt_page(std::uint64_t page, std::uint64_t entry_word);
  void return_idle(OwnPage& own);
  void forget_page(OwnPage& own);
  // Which chunk of the page begins there; as many as it has, or more: none does.
  [[nodiscard]] std::uint32_t chunk_of(const OwnPage& own, std::uint64_t offset) const noexcept {
    return chunk_at(own.size_class, offset - memory_->geometry().page_at(own.page));
  }
  void free_run(std::uint64_t offset, layout::Gen gen);
  void return_freed_runs();
  void try_return_run(std::uint64_t offset, layout::Gen gen);
  [[nodiscard]] unsigned hazards_on(std::uint64_t offset);

  BlockMemory* memory_;
  layout::ReadersSegment* readers_;
  layout::SideIntent& side_;
  std::uint16_t open_;
  OwnerId owner_;
  PagePool pool_;
  HazardSlot hazard_;
  std::uint64_t thread_number_ = 0;
  std::uint32_t counter_ = 0;

  std::unique_ptr<OwnPage*[], FreeArray> own_;  // by page; sparse
  std::vector<std::unique_ptr<OwnPage>> all_;
  std::vector<OwnPage*> by_class_[kClassBytes.size()];
  OwnPage* current_[kClassBytes.size()] = {};
  // Pages that may have ready chunks besides the current one; a page is in it at most once.
  std::vector<OwnPage*> with_ready_[kClassBytes.size()];
  std::size_t hint_cursor_[kClassBytes.size()] = {};
  std::size_t steal_cursor_ = 0;
  std::size_t page_cursor_ = 0;
  std::vector<std::uint64_t> freed_elsewhere_;
  std::vector<std::uint64_t> resting_;
  std::vector<std::uint64_t> hazards_;
  std::uint64_t seen_orphans_ = 0;
};

// Says for good that a node was committed, before it is taken off its slot. Does nothing to memory
// that is no longer that node.
inline void mark_committed(layout::Node& node, layout::Gen gen) noexcept {
  const std::uint64_t incarnation = layout::incarnation_of(gen);
  std::uint64_t unmarked = layout::not_marked(incarnation);
  if (node.commit_mark.load(std::memory_order_acquire) != unmarked) return;
  node.commit_mark.compare_exchange_strong(unmarked, incarnation, std::memory_order_acq_rel);
}

// Takes the owner off every page of a lane that leaves, or of all lanes of a worker that is dead,
// and gives back what holds nothing. Idempotent. Returns the pages that lost their owner.
std::uint64_t orphan_pages_of(BlockMemory& memory, OwnerId owner);
std::uint64_t orphan_pages_of(BlockMemory& memory, WorkerId worker);

}  // namespace sessionblocks::segment
