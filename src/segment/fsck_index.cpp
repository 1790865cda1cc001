// fsck: the tables, their slots, the nodes that they lead to, and the keys of these.
#include "lockfree/racy_copy.hpp"
#include "segment/fsck_checker.hpp"
#include "segment/key_view.hpp"

#include <algorithm>
#include <cstring>

namespace sessionblocks::segment::detail {

using layout::incarnation_of;
using layout::Mark;
using layout::Node;
using layout::NodeState;
using layout::Shape;
using layout::SlotRef;
using layout::state_of;
using layout::TableWord;
using layout::ValueType;

namespace {
constexpr auto kRelaxed = std::memory_order_relaxed;  // nobody writes while fsck looks
}

void Checker::index() {
  const auto& header = memory_.header();
  const TableWord current{header.table.load(kRelaxed)};
  const TableWord old{header.old_table.load(kRelaxed)};
  const TableWord next{header.next_table.load(kRelaxed)};
  if (old.is_table() && old.id() + 1 == current.id()) {
    if (const auto view = table_pages(old)) table(*view, TableRole::old);
  }
  if (const auto view = table_pages(current)) table(*view, TableRole::current);
  if (next.is_table() && next.id() == current.id() + 1) {
    if (const auto view = table_pages(next)) next_table(*view);
  }
  duplicate_keys();
}

void Checker::table(const TableView& view, TableRole role) {
  // How many slots back the nearest empty or closed one is, without walking back for each key: a
  // forged table could make that quadratic. The first round only finds the last stop.
  std::uint64_t since_stop = view.mask + 1;
  const auto is_stop = [&](std::uint64_t i) {
    const std::uint64_t word = view.slots[i].low.load(kRelaxed);
    return word == layout::kEmptyRef || word == layout::kClosedRef;
  };
  for (std::uint64_t i = 0; i <= view.mask; ++i) {
    if (is_stop(view.mask - i)) {
      since_stop = i;
      break;
    }
  }
  for (std::uint64_t i = 0; i <= view.mask; ++i) {
    if (since_stop <= view.mask) ++since_stop;
    slot(view, role, i, since_stop);
    if (is_stop(i)) since_stop = 0;
  }
}

void Checker::next_table(const TableView& view) {
  for (std::uint64_t i = 0; i <= view.mask; ++i) {
    if (view.slots[i].low.load(kRelaxed) == layout::kEmptyRef) continue;
    report(Invariant::slot_mark, {.page = view.word.page(), .slot = i},
           "a slot of the prepared table is not empty");
  }
}

void Checker::slot(const TableView& view, TableRole role, std::uint64_t index,
                   std::uint64_t since_stop) {
  const SlotRef ref{view.slots[index].low.load(kRelaxed)};
  bool valid = false;
  switch (ref.mark()) {
    case Mark::live:
      valid = ref.word != 0;
      break;
    case Mark::empty:
      valid = ref.word == layout::kEmptyRef;
      break;
    case Mark::closed:
      valid = role == TableRole::old && ref.word == layout::kClosedRef;
      break;
    case Mark::frozen:
    case Mark::moved:
      valid = role == TableRole::old;
      break;
    case Mark::dropped:
      valid = true;  // by a migration, or by an eviction
      break;
  }
  if (!valid) {
    return report(Invariant::slot_mark, {.page = view.word.page(), .slot = index},
                  "a slot holds a mark that its table may not hold");
  }
  if (!ref.holds_node()) return;
  const Place place{memory_.node(ref.offset()) ? memory_.page_of(ref.offset()) : kNowhere, index,
                    ref.offset()};
  if (memory_.node(ref.offset()) == nullptr ||
      memory_.chunk_bytes(entry_of(memory_.page_of(ref.offset())), ref.offset()) == 0) {
    return report(Invariant::slot_node, place, "a slot names a place where no node begins");
  }
  reference(index, role, ref);
  if (references_[ref.offset()].times == 1) node(view, index, ref, since_stop);
}

void Checker::reference(std::uint64_t slot, TableRole role, SlotRef ref) {
  Reference& seen = references_[ref.offset()];
  if (++seen.times == 1) {
    seen.slot = slot;
    seen.role = role;
    seen.mark = ref.mark();
    return;
  }
  // The old table is walked first: a move under way copied the node and not yet said so.
  const bool moving = seen.times == 2 && seen.role == TableRole::old && seen.mark == Mark::frozen &&
                      role == TableRole::current;
  if (moving) return;
  report(Invariant::shared_node, {.slot = slot, .offset = ref.offset()},
         "two slots lead to one node");
}

void Checker::node(const TableView& view, std::uint64_t index, SlotRef ref,
                   std::uint64_t since_stop) {
  const Place place{memory_.page_of(ref.offset()), index, ref.offset()};
  const Node& node = *memory_.node(ref.offset());
  if (state_of(node.gen.load(kRelaxed)) != NodeState::in_use) {
    return report(Invariant::slot_state, place, "a slot leads to a node that is not in use");
  }
  node_words(node, place);
  const std::uint64_t word = node.shape.load(kRelaxed);
  const Shape unpacked = Shape::unpack(word);
  if (!shape(unpacked, word, place)) return;
  std::array<std::byte, layout::kMaxKeyBytes> key{};
  copy_out(key.data(), reinterpret_cast<const std::byte*>(&node) + unpacked.key_at(),
           unpacked.key_bytes);
  const std::uint64_t hash = hash_key(key.data(), unpacked.key_bytes, seed_);
  if (node.hash.load(kRelaxed) != hash) {
    report(Invariant::node_hash, place, "a node's stored hash is not the hash of its key");
  }
  if (ref.tag() != hash >> 48U) {
    report(Invariant::slot_tag, place, "a slot's tag is not the top of its key's hash");
  }
  if (((index - hash) & view.mask) >= since_stop) {
    report(Invariant::unreachable_key, place,
           "an empty or closed slot, or another home, hides a key from its readers");
  }
  keys_.push_back({hash, ref.offset(), index, static_cast<std::uint32_t>(unpacked.key_at()),
                   unpacked.key_bytes});
  ++(unpacked.type == ValueType::tombstone ? summary_.tombstones : summary_.entries);
  chain(ref.offset(), unpacked);
}

void Checker::node_words(const Node& node, const Place& place) {
  if (node.version.load(kRelaxed) == 0) {
    report(Invariant::node_version, place, "a version is 0");
  }
  if (layout::Stamp::unpack(node.stamp.load(kRelaxed)).instant >
      memory_.header().snapshot_clock.load(kRelaxed)) {
    report(Invariant::node_stamp, place, "a node is stamped with an instant that is yet to come");
  }
  const std::uint64_t incarnation = incarnation_of(node.gen.load(kRelaxed));
  const std::uint64_t mark = node.commit_mark.load(kRelaxed);
  if (mark != incarnation && mark != layout::not_marked(incarnation)) {
    report(Invariant::commit_mark, place, "a node in a slot has the mark of another");
  }
}

bool Checker::shape(const Shape& shape, std::uint64_t word, const Place& place) {
  const std::uint64_t chunk = memory_.chunk_bytes(entry_of(place.page), place.offset);
  const auto fault = [&]() -> const char* {
    if (word != shape.pack()) return "a shape has bits that mean nothing";
    if (shape.key_bytes == 0 || shape.key_bytes > layout::kMaxKeyBytes) {
      return "a key is not 1 to 1,024 bytes long";
    }
    if (shape.node_bytes() > chunk || !memory_.holds(place.offset, shape.node_bytes())) {
      return "a node is longer than its chunk";
    }
    switch (shape.type) {
      case ValueType::tombstone:
        return shape.value_bytes != 0 ? "a tombstone has a value" : nullptr;
      case ValueType::integer:
      case ValueType::real:
        return shape.value_bytes != 8 ? "a number is not 8 bytes long" : nullptr;
      case ValueType::boolean:
        return shape.value_bytes != 1 ? "a boolean is not 1 byte long" : nullptr;
      case ValueType::bytes:
      case ValueType::text:
        return nullptr;
    }
    return "a value has no valid type";
  }();
  if (fault != nullptr) report(Invariant::node_shape, place, fault);
  return fault == nullptr;
}

void Checker::chain(std::uint64_t offset, const Shape& first) {
  Shape shape = first;
  while (shape.linked) {
    const Place place{memory_.page_of(offset), kNowhere, offset};
    const auto& link =
        *reinterpret_cast<const layout::Link*>(memory_.base() + offset + sizeof(Node));
    offset = link.low.load(kRelaxed);
    if (offset == 0) return;
    const auto gen = memory_.authentic_gen(offset);
    if (!gen || *gen != link.high.load(kRelaxed) || state_of(*gen) != NodeState::in_use) {
      return report(Invariant::broken_link, place,
                    "a link names an older version that is gone: checkpoints have lost it");
    }
    if (!chained_.insert(offset).second) {
      return report(Invariant::shared_version, place, "two links lead to the same version");
    }
    ++summary_.chained;
    const std::uint64_t word = memory_.node(offset)->shape.load(kRelaxed);
    shape = Shape::unpack(word);
    if (!this->shape(shape, word, {memory_.page_of(offset), kNowhere, offset})) return;
  }
}

bool Checker::key_less(const Key& left, const Key& right) const {
  if (left.hash != right.hash) return left.hash < right.hash;
  if (left.bytes != right.bytes) return left.bytes < right.bytes;
  return std::memcmp(memory_.base() + left.offset + left.at,
                     memory_.base() + right.offset + right.at, left.bytes) < 0;
}

void Checker::duplicate_keys() {
  std::sort(keys_.begin(), keys_.end(),
            [this](const Key& left, const Key& right) { return key_less(left, right); });
  for (std::size_t i = 1; i < keys_.size(); ++i) {
    const Key& key = keys_[i];
    if (key_less(keys_[i - 1], key)) continue;
    report(Invariant::duplicate_key, {memory_.page_of(key.offset), key.slot, key.offset},
           "two slots hold different nodes of one key");
  }
}

}  // namespace sessionblocks::segment::detail
