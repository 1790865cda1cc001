#include "segment/verdict.hpp"

#include "core/words.hpp"
#include "segment/chain.hpp"
#include "segment/lookup.hpp"

#include <array>

namespace sessionblocks::segment {

using layout::Gen;
using layout::incarnation_of;
using layout::Intent;
using layout::Node;
using layout::NodeState;
using layout::PageEntry;
using layout::SlotRef;
using layout::state_of;
using layout::TableWord;

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;

}  // namespace

layout::Slot* Verdict::slot_of(std::uint64_t table, std::uint64_t index) const {
  const auto view = memory_->table(TableWord{table});
  if (!view || index > view->mask) return nullptr;
  return memory_->is_table_page(view->word) ? &view->slots[index] : nullptr;
}

// No answer means that no node begins there, not only that a living worker adopted the page while
// we looked: what we leave now nobody comes back to.
std::optional<Gen> Verdict::gen_of(std::uint64_t offset) const {
  constexpr int kChangesOfOwner = 1'000;
  for (int i = 0; i < kChangesOfOwner; ++i) {
    if (const auto gen = memory_->authentic_gen(offset)) return gen;
    if (memory_->node(offset) == nullptr) return std::nullopt;
    const auto entry = memory_->descriptor(memory_->page_of(offset)).entry.load(kRelaxed);
    if (memory_->chunk_bytes(PageEntry::unpack(entry), offset) == 0) return std::nullopt;
  }
  return std::nullopt;
}

bool Verdict::is_here(std::uint64_t offset, Gen gen) const {
  const auto seen = gen_of(offset);
  return seen && incarnation_of(*seen) == incarnation_of(gen);
}

bool Verdict::has_shown(const Intent& intent, std::uint64_t fresh, Gen gen) const {
  if (intent.table.load(kRelaxed) == 0) return false;
  const layout::Slot* slot = slot_of(intent.table.load(kRelaxed), intent.slot.load(kRelaxed));
  if (slot != nullptr) {
    const SlotRef ref{slot->low.load(std::memory_order_acquire)};
    const bool shows = ref.mark() <= layout::Mark::moved && ref.offset() == fresh;
    if (shows) return true;
  }
  // The slot may have moved on to the next table, whose memory may have moved on as well.
  if (is_reachable(*memory_, fresh)) return true;
  // Last: whoever takes the node off its slot marks it first, and may do so while we look.
  return memory_->node(fresh)->commit_mark.load(std::memory_order_acquire) == incarnation_of(gen);
}

// A slot that was dropped once is never anything else, while an intent names its table.
bool Verdict::has_dropped(const Intent& intent) const {
  const layout::Slot* slot = slot_of(intent.table.load(kRelaxed), intent.slot.load(kRelaxed));
  return slot != nullptr && SlotRef{slot->low.load(kAcquire)}.is_dropped_by(owner_);
}

bool Verdict::same_key(std::uint64_t left, std::uint64_t right) const {
  const Node* a = memory_->node(left);
  const Node* b = memory_->node(right);
  if (a == nullptr || b == nullptr) return false;
  const auto shape_a = layout::Shape::unpack(a->shape.load(kRelaxed));
  const auto shape_b = layout::Shape::unpack(b->shape.load(kRelaxed));
  if (shape_a.key_bytes != shape_b.key_bytes || shape_a.key_bytes > layout::kMaxKeyBytes ||
      !memory_->holds(left, shape_a.node_bytes()) || !memory_->holds(right, shape_b.node_bytes())) {
    return false;
  }
  std::array<std::byte, layout::kMaxKeyBytes> key;
  copy_out(key.data(), reinterpret_cast<const std::byte*>(a) + shape_a.key_at(), shape_a.key_bytes);
  return equal_bytes(reinterpret_cast<const std::byte*>(b) + shape_b.key_at(), key.data(),
                     shape_a.key_bytes);
}

// Whether the key of this node has a later version by now, or was forgotten after a later one.
bool Verdict::has_moved_on(std::uint64_t old) const {
  const Node& node = *memory_->node(old);
  const auto shape = layout::Shape::unpack(node.shape.load(kRelaxed));
  const std::uint64_t version = node.version.load(kRelaxed);
  if (shape.key_bytes == 0 || shape.key_bytes > layout::kMaxKeyBytes) return false;
  if (!memory_->holds(old, shape.node_bytes())) return false;
  std::array<std::byte, layout::kMaxKeyBytes> key;
  copy_out(key.data(), reinterpret_cast<const std::byte*>(&node) + shape.key_at(), shape.key_bytes);
  SlotView view;
  std::uint64_t newest = 0;
  const KeyView key_view{key.data(), shape.key_bytes, node.hash.load(kRelaxed)};
  const Found found = lookup(*memory_, key_view, nullptr, view, [&](const SlotView& hit) {
    newest = hit.node->version.load(kRelaxed);
  });
  if (found == Found::absent) {
    newest = memory_->header().version_floor.load(std::memory_order_acquire);
  }
  return found != Found::corrupt && newest > version;
}

bool Verdict::has_displaced(const Intent& intent, std::uint64_t fresh, Gen gen,
                            std::uint64_t old) const {
  const Node& node = *memory_->node(old);
  if (old == fresh || node.key_id.load(kRelaxed) != intent.key_id.load(kRelaxed) ||
      node.version.load(kRelaxed) + 1 != intent.version.load(kRelaxed) ||
      is_reachable(*memory_, old)) {
    return false;
  }
  if (same_key(old, fresh)) return true;
  return !is_here(fresh, gen) && has_moved_on(old);
}

std::uint64_t Verdict::committed_op(const Intent& intent, std::uint16_t open) const {
  const std::uint64_t op = intent.op.load(kAcquire);
  if (op == intent.done.load(kAcquire)) return 0;
  const std::uint64_t what = intent.what.load(kAcquire);
  if (((what >> 16U) & 0xFFFFU) != open) return 0;
  const std::uint64_t table = intent.table.load(kAcquire);
  if (table == 0) return 0;
  const std::uint64_t fresh = intent.fresh.load(kAcquire);
  const Gen gen = intent.fresh_gen.load(kAcquire);
  bool has_committed = false;
  if (fresh != 0) {
    // Named and used again: only a commit, and another's after it, lets go of it.
    has_committed =
        memory_->node(fresh) != nullptr && (has_shown(intent, fresh, gen) || !is_here(fresh, gen));
  } else if (static_cast<Op>(what & 0xFFU) == Op::evict) {
    has_committed = has_dropped(intent);
  }
  // V1 (acquire fence): what we saw of the block before the intent again. Who tries once more
  // unnames its slot before it lets go of its chunk, and no two chunks have one gen.
  std::atomic_thread_fence(kAcquire);
  const bool is_same = intent.op.load(kRelaxed) == op && intent.table.load(kRelaxed) == table &&
                       intent.fresh_gen.load(kRelaxed) == gen;
  return has_committed && is_same ? op : 0;
}

}  // namespace sessionblocks::segment
