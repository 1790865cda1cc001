#include "segment/damage.hpp"

#include "segment/format.hpp"

namespace sessionblocks::segment {

using layout::Mark;
using layout::PageEntry;
using layout::PageKind;
using layout::ValueType;

namespace {

constexpr int kMostLooks = 64;     // at a slot that is written to again and again: then it is fine
constexpr int kMostRestarts = 16;  // for growths that begin and end meanwhile

}  // namespace

DamageSearch::Step DamageSearch::call(std::string_view what) noexcept {
  what_ = what;
  return Step::damaged;
}

DamageSearch::Step DamageSearch::look(std::uint64_t most_slots) {
  const auto& identity = memory_->header().identity;
  if (!check_identity(identity, layout::Magic::block) ||
      identity.segment_bytes != memory_->geometry().segment_bytes) {
    return call("the header is not that of a block of this size");
  }
  const Tables before = tables_;
  const bool usable = load_tables(*memory_, tables_);
  if (!usable || !is_table(tables_.current_view)) {
    if (!same_tables(*memory_, tables_)) return Step::more;
    return call("the header names no table");
  }
  if (before.current != tables_.current || before.old != tables_.old) {
    if (next_ != 0 && ++restarts_ > kMostRestarts) return Step::sound;
    next_ = 0;
  }
  const std::uint64_t current = tables_.current.slots();
  const std::uint64_t all = current + (tables_.is_growing() ? tables_.old.slots() : 0);
  for (std::uint64_t looked = 0; looked < most_slots; ++looked, ++next_) {
    if (next_ >= all) return Step::sound;
    const bool is_old = next_ >= current;
    const Seen seen =
        is_old ? look_at(tables_.old_view, next_ - current) : look_at(tables_.current_view, next_);
    if (seen == Seen::sound) continue;
    // A table that was retired while we looked holds anything.
    if (seen == Seen::moved_on || !same_tables(*memory_, tables_)) return Step::more;
    return call("a slot of the index holds what no writer puts there");
  }
  return Step::more;
}

bool DamageSearch::is_table(const TableView& view) const noexcept {
  const auto& page = memory_->descriptor(view.word.page());
  const auto entry = PageEntry::unpack(page.entry.load(std::memory_order_acquire));
  return entry.kind == PageKind::table_head &&
         page.run_head.load(std::memory_order_relaxed) == view.word.id();
}

DamageSearch::Seen DamageSearch::look_at(const TableView& view, std::uint64_t index) {
  const bool is_current = view.word == tables_.current;
  SlotView at;
  at.table = view;
  at.index = index;
  at.slot = &view.slots[index];
  int strange = 0;
  for (int looks = 0; looks < kMostLooks; ++looks) {
    at.ver = at.slot->high.load(std::memory_order_acquire);
    at.ref.word = at.slot->low.load(std::memory_order_acquire);
    if (!at.ref.holds_node()) {
      // In the current table only an eviction drops.
      const bool may_be = is_current
                              ? at.ref.word == layout::kEmptyRef || at.ref.mark() == Mark::dropped
                              : at.ref.mark() <= Mark::closed;
      return may_be ? Seen::sound : Seen::damaged;
    }
    if (is_current && at.ref.mark() == Mark::frozen) return Seen::damaged;
    bool whole = false;
    const detail::Look look = detail::look_at_any_node(
        *memory_, at, [&](const SlotView& hit) { whole = is_node_whole(hit); });
    if (look == detail::Look::corrupt) return Seen::damaged;
    if (look != detail::Look::hit) continue;
    // The page may be adopted at this moment, which hides its gens for an instant.
    if (whole && memory_->authentic_gen(at.ref.offset())) return Seen::sound;
    if (detail::unchanged(at) && ++strange == 8) return Seen::damaged;
  }
  return Seen::sound;
}

bool DamageSearch::is_node_whole(const SlotView& view) const noexcept {
  const auto& shape = view.shape;
  if (shape.key_bytes == 0 || shape.key_bytes > layout::kMaxKeyBytes) return false;
  if (view.node->hash.load(std::memory_order_relaxed) >> 48U != view.ref.tag()) return false;
  switch (shape.type) {
    case ValueType::tombstone:
      return shape.value_bytes == 0;
    case ValueType::integer:
    case ValueType::real:
      return shape.value_bytes == 8;
    case ValueType::boolean:
      return shape.value_bytes == 1;
    case ValueType::bytes:
    case ValueType::text:
      return true;
  }
  return false;
}

}  // namespace sessionblocks::segment
