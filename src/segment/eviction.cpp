#include "segment/eviction.hpp"

#include "core/crash_point.hpp"
#include "lockfree/cas16.hpp"
#include "segment/scan.hpp"
#include "segment/use_marks.hpp"
#include "segment/waiters.hpp"

#include <algorithm>
#include <array>

namespace sessionblocks::segment {

using layout::Mark;
using layout::Node;
using layout::PageEntry;
using layout::PageKind;
using layout::SlotRef;
using layout::Stamp;
using layout::ValueType;

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::uint64_t kLooksPerSample = 1'024;  // slots
constexpr std::uint64_t kSweepAgainMs = 100;      // after a sweep that found nothing

// Copies the key of a node. 0: it has none that a key can be.
std::uint32_t copy_key(const BlockMemory& memory, std::uint64_t offset, const layout::Shape& shape,
                       std::span<std::byte, layout::kMaxKeyBytes> key) noexcept {
  if (shape.key_bytes == 0 || shape.key_bytes > key.size()) return 0;
  if (!memory.holds(offset, shape.node_bytes())) return 0;
  copy_out(key.data(), memory.base() + offset + shape.key_at(), shape.key_bytes);
  return shape.key_bytes;
}

}  // namespace

Evictor::Evictor(const WriterPlace& place, Writer& writer)
    : place_(place),
      heap_(&writer.heap()),
      growth_(&writer.growth()),
      steps_(place.lane->intent),
      cursor_(std::uint64_t{raw(place.owner)} * 0x9E37'79B9'7F4A'7C15U) {  // each begins elsewhere
  sample_.reserve(kSample);
}

Evictor::Room Evictor::make_room(const Order& order) {
  room_ = {};
  // What no block of this size has room for drives nobody out.
  if (order.bytes / layout::kPageBytes >= place_.memory->page_count() / 4 * 3) return room_;
  if (place_.at_limit == AtLimit::evict_expired) {
    sweep_expired(order);
  } else if (order.bytes == 0) {
    make_table_worth_rebuilding(order);
  } else {
    evict_oldest(order);
    if (!room_.is_made) empty_own_page(order);
  }
  return room_;
}

std::optional<TableView> Evictor::table_to_look_at() {
  if (place_.memory->header().pin_count.load(std::memory_order_acquire) != 0) return std::nullopt;
  if (!load_tables(*place_.memory, tables_)) return std::nullopt;
  return tables_.is_growing() ? tables_.old_view : tables_.current_view;
}

// False: a checkpoint may need it, or it is being moved.
bool Evictor::look_at(const SlotView& slot, const Order& order, Victim& victim) const {
  // A mover that saw it frozen copies the node, whatever becomes of the slot meanwhile.
  if (slot.ref.mark() != Mark::live) return false;
  const Node& node = *slot.node;
  if (slot.shape.linked && load_link(*place_.memory, slot.ref.offset()).previous != 0) return false;
  const std::uint64_t expiry_ms = node.expiry_ms.load(kRelaxed);
  victim.at = slot;
  victim.key_id = node.key_id.load(kRelaxed);
  victim.version = node.version.load(kRelaxed);
  victim.is_tombstone = slot.shape.type == ValueType::tombstone;
  victim.is_expired = !victim.is_tombstone && expiry_ms != 0 && expiry_ms <= order.now_ms;
  victim.used_ms = Stamp::unpack(node.stamp.load(kRelaxed)).written_ms;
  if (place_.at_limit == AtLimit::evict_lru) {
    const std::uint64_t hash = node.hash.load(kRelaxed);
    victim.used_ms = std::max(victim.used_ms, last_read_ms(*place_.readers, hash, order.now_ms));
  }
  return true;
}

// At the next slot.
bool Evictor::look(const TableView& table, const Order& order, Victim& victim) {
  bool is_one = false;
  const bool is_whole =
      detail::visit_slot(*place_.memory, table, ++cursor_ & table.mask, &heap_->hazard(),
                         [&](const SlotView& slot) { is_one = look_at(slot, order, victim); });
  return is_whole && is_one;
}

// Whether a write that wants so many bytes could have this chunk, or what it is part of.
bool Evictor::is_usable(std::uint64_t offset, std::uint64_t bytes) const {
  const BlockMemory& memory = *place_.memory;
  const auto entry =
      PageEntry::unpack(memory.descriptor(memory.page_of(offset)).entry.load(kRelaxed));
  if (bytes == 0) return true;
  if (bytes > kMaxChunkBytes) return entry.kind == PageKind::run_head;
  if (entry.kind != PageKind::chunks || memory.chunk_bytes(entry, offset) < bytes) return false;
  return entry.owner != place_.owner || entry.size_class == class_of(bytes);
}

void Evictor::sweep_expired(const Order& order) {
  if (order.now_ms < none_expired_until_) return;
  const auto table = table_to_look_at();
  if (!table) return;
  for (std::uint64_t looks = 0; looks <= table->mask && room_.evicted < kBatch; ++looks) {
    Victim victim;
    if (!look(*table, order, victim) || victim.is_missed()) continue;
    if (!has_room_to_record(order)) return;
    evict(victim, order);
  }
  if (room_.is_made) return;
  room_.is_made = tables_.is_growing() && growth_->finish();
  if (!room_.is_made) none_expired_until_ = order.now_ms + kSweepAgainMs;
}

// The oldest of a sample, and whatever nobody would miss.
void Evictor::evict_oldest(const Order& order) {
  const auto table = table_to_look_at();
  if (!table) return;
  sample_.clear();
  const std::uint64_t looks = std::min(kLooksPerSample, table->mask + 1);
  for (std::uint64_t i = 0; i < looks && sample_.size() < kSample; ++i) {
    Victim victim;
    if (look(*table, order, victim) && is_usable(victim.at.ref.offset(), order.bytes)) {
      sample_.push_back(victim);
    }
  }
  std::sort(sample_.begin(), sample_.end(), [](const Victim& left, const Victim& right) {
    if (left.is_missed() != right.is_missed()) return right.is_missed();
    return left.used_ms < right.used_ms;
  });
  std::size_t gone = 0;
  for (const Victim& victim : sample_) {
    if (gone == kBatch || !has_room_to_record(order)) break;
    if (evict(victim, order)) ++gone;
  }
  if (!room_.is_made && tables_.is_growing()) room_.is_made = growth_->finish();
}

// None of the size that is wanted: a page that is cut otherwise becomes free when all goes that is
// in it.
void Evictor::empty_own_page(const Order& order) {
  if (!table_to_look_at()) return;
  const auto page = heap_->next_page_of_other_class(class_of(order.bytes));
  if (!page) return;
  const BlockMemory& memory = *place_.memory;
  const auto entry = PageEntry::unpack(memory.descriptor(*page).entry.load(kRelaxed));
  if (entry.kind != PageKind::chunks || entry.size_class >= kClassBytes.size()) return;
  for (std::uint32_t chunk = 0; chunk < chunks_per_page(entry.size_class); ++chunk) {
    const std::uint64_t offset =
        memory.geometry().page_at(*page) + std::uint64_t{chunk} * kClassBytes[entry.size_class];
    Victim victim;
    if (!find_slot_of(offset, order, victim)) continue;
    if (!has_room_to_record(order)) return;
    evict(victim, order);
  }
}

// The slot that shows this node, by the node's own key.
bool Evictor::find_slot_of(std::uint64_t offset, const Order& order, Victim& victim) {
  const BlockMemory& memory = *place_.memory;
  const Node* node = memory.node(offset);
  if (node == nullptr) return false;
  const auto gen = node->gen.load(std::memory_order_acquire);
  if (layout::state_of(gen) != layout::NodeState::in_use) return false;
  const auto shape = layout::Shape::unpack(node->shape.load(kRelaxed));
  std::array<std::byte, layout::kMaxKeyBytes> key;
  const KeyView view{key.data(), copy_key(memory, offset, shape, key), node->hash.load(kRelaxed)};
  if (view.size == 0) return false;
  const TableView& table = tables_.is_growing() ? tables_.old_view : tables_.current_view;
  SlotView slot;
  bool is_one = false;
  const ProbeResult found =
      probe(memory, table, view, &heap_->hazard(), slot, [&](const SlotView& at) {
        is_one = at.ref.offset() == offset && look_at(at, order, victim);
      });
  return found.end == ProbeEnd::hit && is_one;
}

// The index is full and cannot grow: rebuilding it pays when enough of its slots are nobody's.
void Evictor::make_table_worth_rebuilding(const Order& order) {
  while (!growth_->has_tombstones() && has_room_to_record(order)) {
    const std::size_t before = room_.evicted;
    evict_oldest(order);
    if (room_.evicted == before) return;
  }
  room_.is_made = true;
}

bool Evictor::has_room_to_record(const Order& order) const {
  return !order.record || place_.ring->has_room(kCells);
}

bool Evictor::evict(const Victim& victim, const Order& order) {
  const SlotView& at = victim.at;
  steps_.begin(static_cast<std::uint64_t>(Op::evict) | (std::uint64_t{place_.open} << 16U));
  // A key that comes back must not repeat a version, and nobody remembers this one's after it.
  raise_version_floor(place_.memory->header(), victim.version + 2);
  // Whoever takes a node off its slot first makes sure that it counts as committed.
  mark_committed(*at.node, at.gen);
  name_in_intent(victim, order);
  SESSIONBLOCKS_CRASH("evict.before_drop");
  const bool is_out =
      may_drop(order) && compare_and_swap(*at.slot, {at.ref.word, at.ver},
                                          {at.ref.dropped_by(place_.owner).word, at.ver + 1});
  if (is_out) publish(victim, order);
  room_.is_made = true;  // by us, or others were faster and changed what we looked at
  steps_.finish();
  return is_out;
}

void Evictor::name_in_intent(const Victim& victim, const Order& order) {
  const bool record = order.record && !victim.is_tombstone;
  if (record) {
    // Who reads the log remembers the keys that are in use, which this one was not.
    std::array<std::byte, layout::kMaxKeyBytes> key;
    const std::uint32_t key_bytes =
        copy_key(*place_.memory, victim.at.ref.offset(), victim.at.shape, key);
    if (detail::unchanged(victim.at)) {
      place_.ring->push_with_key(make_record(place_.open, Op::define_key, Errc{}, victim.key_id,
                                             victim.version, 0, order.now_ms),
                                 {key.data(), key_bytes});
    }
  }
  SlotNames names;
  names.what = static_cast<std::uint64_t>(Op::evict) | (std::uint64_t{place_.open} << 16U);
  names.slot = victim.at.index;
  names.old = victim.at.ref.offset();
  names.old_gen = victim.at.gen;
  names.version = victim.version + 1;
  names.key_id = victim.key_id;
  names.record_at = record ? place_.ring->next() + 1 : 0;
  steps_.describe_slot(names);
  steps_.name_slot(victim.at.table.word);
}

// Another growth may have begun, out of this table or into it.
bool Evictor::may_drop(const Order& order) const {
  return place_.life->load(std::memory_order_acquire) == order.life.word &&
         place_.memory->header().pin_count.load(std::memory_order_acquire) == 0 &&
         same_tables(*place_.memory, tables_);
}

void Evictor::publish(const Victim& victim, const Order& order) {
  SESSIONBLOCKS_CRASH("evict.dropped");
  const std::uint64_t offset = victim.at.ref.offset();
  heap_->free_node(offset, victim.at.gen);
  const auto& descriptor = place_.memory->descriptor(place_.memory->page_of(offset));
  const auto entry = PageEntry::unpack(descriptor.entry.load(kRelaxed));
  if (entry.kind == PageKind::chunks && entry.owner != place_.owner) heap_->remember_freed(offset);
  SESSIONBLOCKS_CRASH("evict.old_freed");
  if (!victim.is_tombstone) {
    ++room_.evicted;
    if (order.record) {
      place_.ring->push(make_record(place_.open, Op::evict, Errc{}, victim.key_id,
                                    victim.version + 1, 0, order.now_ms));
    }
    if (!tables_.is_growing()) place_.memory->header().erased_entries.fetch_add(1, kRelaxed);
  }
  SESSIONBLOCKS_CRASH("evict.recorded");
  wake_slot(*place_.readers, *victim.at.slot, victim.at.index);
}

}  // namespace sessionblocks::segment
