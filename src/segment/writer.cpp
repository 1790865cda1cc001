#include "segment/writer.hpp"

#include "core/crash_point.hpp"
#include "lockfree/cas16.hpp"
#include "segment/waiters.hpp"

#include <algorithm>
#include <new>

namespace sessionblocks::segment {

using layout::Gen;
using layout::incarnation_of;
using layout::make_gen;
using layout::Mark;
using layout::Node;
using layout::NodeState;
using layout::Shape;
using layout::SlotRef;
using layout::ValueType;

namespace {

[[nodiscard]] bool is_erase(Op op) noexcept {
  return op == Op::erase || op == Op::get_and_erase;
}

}  // namespace

Writer::Writer(const WriterPlace& place)
    : place_(place),
      steps_(place.lane->intent),
      heap_(*place.memory, place.readers, place.lane->side, place.open, place.owner),
      growth_(*place.memory, *place.readers, heap_, place.owner,
              place.at_limit == AtLimit::refuse ? Growing::freely : Growing::with_spare) {}

Outcome Writer::apply_closely(const KeyView& key, const Mutation& mutation, layout::LifeWord life,
                              bool record_it, std::uint64_t now_ms) {
  Work work(key, mutation, life, record_it, now_ms);
  steps_.begin(what_of(mutation.op));
  if (run(work) == Attempt::refused) {
    // Memory that was emptied under the operation has no room, and makes no sense: its generation
    // is over.
    const bool may_be_emptied =
        work.outcome.code == Errc::out_of_memory || work.outcome.code == Errc::corrupt;
    const bool is_over = place_.life->load(std::memory_order_acquire) != work.life.word;
    if (may_be_emptied && is_over) work.outcome.code = Errc::gone;
    steps_.unname_slot();
    if (work.chunk.offset != 0) heap_.put_back(work.chunk, work.gen);
    const bool may_evict =
        work.outcome.code == Errc::out_of_memory && place_.at_limit != AtLimit::refuse;
    if (work.record && !may_evict) record(work, work.old.is_live ? work.old_key_id : 0);
  }
  steps_.finish();
  return work.outcome;
}

void Writer::record_full(const KeyView& key, const Mutation& mutation, std::uint64_t now_ms) {
  place_.ring->push_with_key(
      make_record(place_.open, mutation.op, Errc::out_of_memory, 0, 0, 0, now_ms), key.bytes());
}

Writer::Attempt Writer::run(Work& work) {
  try {
    // A failed try means that another thread's change of this slot went through: lock-free. The
    // bound is for forgers; nobody else changes one slot so often.
    for (int tries = 0; tries < kMostTries; ++tries) {
      const Attempt end = attempt(work);
      if (end != Attempt::again) return end;
    }
    return refuse(work, Errc::corrupt);
  } catch (const std::bad_alloc&) {  // private lists; nothing allocates once it is committed
    return refuse(work, Errc::out_of_memory);
  }
}

Writer::Attempt Writer::refuse(Work& work, Errc code) const noexcept {
  work.outcome.code = code;
  work.outcome.version = work.old.is_live ? work.old.version : 0;
  work.outcome.old_type = work.old.type;
  return Attempt::refused;
}

Writer::Attempt Writer::attempt(Work& work) {
  if (!locate(work)) {
    return work.outcome.code == Errc{} ? Attempt::again : refuse(work, work.outcome.code);
  }
  const Errc planned = plan_mutation(work.mutation, work.old, work.plan);
  if (planned != Errc{}) {
    // The plan came from shared bytes: it counts only if they were the slot's.
    if (!same_tables(*place_.memory, work.tables)) return Attempt::again;
    if (work.view.node != nullptr && !detail::unchanged(work.view)) return Attempt::again;
    return refuse(work, planned);
  }
  const Errc built = build(work);
  if (built == Errc::conflict) return Attempt::again;
  if (built == Errc::out_of_memory && !work.rebuilt) {
    work.rebuilt = true;
    if (growth_.drop_tombstones()) return Attempt::again;
  }
  if (built != Errc{}) return refuse(work, built);
  if (work.view.node != nullptr) mark_displaced(*work.view.node, work.view.gen);
  name_in_intent(work);
  if (!may_commit(work)) {
    return work.outcome.code == Errc{} ? Attempt::again : refuse(work, work.outcome.code);
  }
  SESSIONBLOCKS_CRASH("write.before_commit");
  const SlotRef fresh = SlotRef::make(work.key.hash, work.chunk.offset, Mark::live);
  // W1: the commit. Full barrier: the node before the slot that shows it, pairs with A1 of probe.
  if (!compare_and_swap(*work.view.slot, {work.view.ref.word, work.view.ver},
                        {fresh.word, work.view.ver + 1})) {
    return Attempt::again;
  }
  SESSIONBLOCKS_CRASH("write.committed");
  finish_commit(work);
  return Attempt::committed;
}

bool Writer::locate(Work& work) {
  BlockMemory& memory = *place_.memory;
  help_begin(memory);
  if (!load_tables(memory, work.tables)) {
    if (same_tables(memory, work.tables)) work.outcome.code = Errc::corrupt;
    return false;
  }
  if (work.tables.is_growing() && !growth_.bring(work.tables, work.key)) {
    if (same_tables(memory, work.tables) && !growth_.finish()) {
      work.outcome.code = Errc::out_of_memory;
    }
    return false;
  }
  work.old = {};
  const ProbeResult result = probe(memory, work.tables.current_view, work.key, &heap_.hazard(),
                                   work.view, [&](const SlotView& view) { read_old(work, view); });
  switch (result.end) {
    case ProbeEnd::hit:
      if (work.view.ref.mark() == Mark::live) return true;
      // Frozen: a growth out of this table has begun since; in the current one nobody freezes.
      if (same_tables(memory, work.tables)) work.outcome.code = Errc::corrupt;
      return false;
    case ProbeEnd::empty:
      work.old = {};
      if (!work.tables.is_growing()) {
        if (place_.at_limit == AtLimit::refuse || growth_.has_slot_for_new()) return true;
        if (same_tables(memory, work.tables)) work.outcome.code = Errc::out_of_memory;
        return false;
      }
      if (growth_.has_room_for_new(work.tables)) return true;
      if (!growth_.make_room_for_new(work.tables)) work.outcome.code = Errc::out_of_memory;
      return false;
    case ProbeEnd::full:
      if (!same_tables(memory, work.tables)) return false;
      if (!growth_.begin_now()) work.outcome.code = Errc::out_of_memory;
      return false;
    default:
      if (same_tables(memory, work.tables)) work.outcome.code = Errc::corrupt;
      return false;
  }
}

void Writer::read_old(Work& work, const SlotView& view) const {
  const Node& node = *view.node;
  OldEntry& old = work.old;
  old.has_node = true;
  old.type = view.shape.type;
  old.version = node.version.load(std::memory_order_relaxed);
  old.expiry_ms = node.expiry_ms.load(std::memory_order_relaxed);
  old.is_live =
      old.type != ValueType::tombstone && (old.expiry_ms == 0 || old.expiry_ms > work.now_ms);
  old.value = reinterpret_cast<const std::byte*>(&node) + view.shape.value_at();
  old.value_bytes = view.shape.value_bytes;
  work.old_key_id = node.key_id.load(std::memory_order_relaxed);
  work.old_instant = layout::Stamp::unpack(node.stamp.load(std::memory_order_relaxed)).instant;
}

// What the new node, stamped with this instant, hangs behind itself. Usable only if the slot is
// unchanged.
ChainLink Writer::link_for(const Work& work, std::uint64_t instant) const noexcept {
  if (!work.old.has_node) return {};
  const auto& header = place_.memory->header();
  // After the clock: who draws an instant sets its pin first, so that a clock above the instant
  // comes with the pin.
  const bool pins = header.pin_count.load(std::memory_order_acquire) != 0;
  if (!pins && !work.view.shape.linked) [[likely]]
    return {};
  if (pins && is_pinned(header, work.old_instant, instant)) {
    return {work.view.ref.offset(), work.view.gen};
  }
  return work.view.shape.linked ? load_link(*place_.memory, work.view.ref.offset()) : ChainLink{};
}

// Errc::conflict: the old node changed under the copy, start again.
Errc Writer::build(Work& work) {
  work.link =
      link_for(work, place_.memory->header().snapshot_clock.load(std::memory_order_acquire));
  Shape shape;
  shape.linked = work.link.previous != 0;
  shape.value_bytes = work.plan.value_bytes();
  shape.key_bytes = work.key.size;
  shape.type = work.plan.type;
  if (shape.value_bytes > place_.memory->geometry().segment_bytes) return Errc::value_too_large;
  const Errc taken = take_chunk(work, shape.node_bytes());
  work.outcome.wanted_bytes = taken == Errc{} ? 0 : shape.node_bytes();
  if (taken != Errc{}) return taken;
  fill(work, shape);
  if (work.plan.kept_bytes > 0 && !detail::unchanged(work.view)) return Errc::conflict;
  return Errc{};
}

Errc Writer::take_chunk(Work& work, std::uint64_t bytes) {
  if (work.chunk.offset != 0 && work.chunk.bytes >= bytes) return Errc{};
  if (work.chunk.offset != 0) {
    steps_.unname_slot();
    heap_.put_back(work.chunk, work.gen);
    steps_.unname_chunk();
    work.chunk = {};
    work.gen = 0;
  }
  const Claim purpose = is_erase(work.mutation.op) ? Claim::for_erase : Claim::ordinary;
  for (int tries = 0; tries < kMostTries; ++tries) {
    const Chunk chunk = heap_.take(bytes, purpose);
    if (chunk.offset == 0) return Errc::out_of_memory;
    const std::uint64_t incarnation = heap_.next_incarnation();
    if (incarnation == 0) return heap_.put_back(chunk, 0), Errc::out_of_memory;
    const Gen gen = make_gen(incarnation, NodeState::in_use);
    steps_.name_chunk(chunk.offset, gen);
    Node& node = *reinterpret_cast<Node*>(place_.memory->base() + chunk.offset);
    bool ours = true;
    if (chunk.steal_from == 0) {
      steps_.enter_chunk(node, gen);
    } else {
      Gen expected = chunk.steal_from;
      ours = node.gen.compare_exchange_strong(expected, gen, std::memory_order_acq_rel);
      heap_.stolen(chunk, ours);
    }
    if (!ours) continue;
    steps_.entered();
    work.chunk = chunk;
    work.gen = gen;
    return Errc{};
  }
  return Errc::out_of_memory;
}

void Writer::fill(Work& work, const Shape& shape) {
  Node& node = *reinterpret_cast<Node*>(place_.memory->base() + work.chunk.offset);
  auto* bytes = reinterpret_cast<std::byte*>(&node);
  const auto relaxed = std::memory_order_relaxed;  // W1 publishes all of it
  std::uint64_t version = work.old.version + 1;
  if (!work.old.has_node) {
    version = place_.memory->header().version_floor.load(std::memory_order_acquire);
    version = std::max<std::uint64_t>(version, 1);
  }
  if (work.own_key_id == 0) work.own_key_id = incarnation_of(work.gen);
  const std::uint64_t key_id = work.old.has_node ? work.old_key_id : work.own_key_id;
  steps_.write_head(node, {work.gen, shape, version, key_id, work.plan.expiry_ms, work.key.hash});
  if (shape.linked) {
    link_of(node).low.store(work.link.previous, relaxed);
    link_of(node).high.store(work.link.gen, relaxed);
  }
  copy_in(bytes + shape.key_at(), work.key.data, work.key.size);
  std::byte* value = bytes + shape.value_at();
  const auto tail = work.plan.tail();
  if (work.plan.kept_bytes == 0) {
    copy_in(value, tail.data(), tail.size());
  } else {
    append_copy(value, work.old.value, work.plan.kept_bytes, tail);
  }
  work.outcome.version = version;
  work.outcome.value_bytes = shape.value_bytes;
  work.outcome.expiry_ms = work.plan.expiry_ms;
  work.outcome.number = work.plan.number;
  work.outcome.old_type = work.old.type;
  work.outcome.key_id = key_id;
}

void Writer::name_in_intent(Work& work) {
  SlotNames names;
  names.what = what_of(work.mutation.op);
  if (!work.old.has_node) names.what |= layout::kFreshSlot;
  if (keeps_old(work)) names.what |= layout::kKeepOld;
  names.slot = work.view.index;
  names.old = work.old.has_node ? work.view.ref.offset() : 0;
  names.old_gen = work.view.gen;
  names.version = work.outcome.version;
  names.key_id = work.outcome.key_id;
  names.value_bytes = work.outcome.value_bytes;
  if (work.record && !work.old.is_live) define_key(work);
  names.record_at = work.record ? place_.ring->next() + 1 : 0;
  if (logs_value(work)) {
    lay_value(work);
    names.what |= layout::kValueLaid;
  }
  steps_.describe_slot(names);
  steps_.name_slot(work.tables.current);
}

// Before the commit: whoever reads a record that names the key finds its definition in some ring.
// That of a key which was erased or has expired may be long ago, and who reads remembers the keys
// that are in use. One of each: a second old node that we meet came and went while we tried.
void Writer::define_key(Work& work) noexcept {
  bool& is_defined = work.old.has_node ? work.defined_old : work.defined_own;
  if (is_defined) return;
  const layout::AuditRecord record =
      make_record(place_.open, Op::define_key, Errc{}, work.outcome.key_id, work.outcome.version, 0,
                  work.now_ms);
  place_.ring->push_with_key(record, work.key.bytes());
  is_defined = true;
}

// An entry that is erased has none.
bool Writer::logs_value(const Work& work) const noexcept {
  return place_.logs_values && work.record && !is_erase(work.mutation.op);
}

// Before the commit, so that whoever finds this thread dead after it finds the value in the ring.
void Writer::lay_value(const Work& work) noexcept {
  const auto tail = work.plan.tail();
  layout::ValueDetail detail{};
  detail.expiry_ms = work.plan.expiry_ms;
  detail.kept_bytes = work.plan.kept_bytes;
  detail.logged_bytes = tail.size();
  detail.time_ms = static_cast<std::uint32_t>(work.now_ms);
  detail.type = static_cast<std::uint8_t>(work.plan.type);
  place_.ring->lay_value(detail, tail);
}

bool Writer::may_commit(Work& work) {
  if (place_.life->load(std::memory_order_acquire) != work.life.word) {
    work.outcome.code = Errc::gone;
    return false;
  }
  auto& header = place_.memory->header();
  Node& node = *reinterpret_cast<Node*>(place_.memory->base() + work.chunk.offset);
  const std::uint64_t instant = header.snapshot_clock.load(std::memory_order_acquire);
  node.stamp.store(layout::Stamp{instant, work.now_ms}.pack(), std::memory_order_relaxed);
  // A checkpoint was taken or released since the node was built: build it for that.
  if (link_for(work, instant) != work.link) [[unlikely]]
    return false;
  return same_tables(*place_.memory, work.tables);
}

void Writer::finish_commit(Work& work) {
  // The fresh node is not touched any more: it may have been displaced, and its memory be
  // another's.
  const bool fresh_slot = !work.old.has_node;
  if (!fresh_slot && !keeps_old(work)) heap_.free_node(work.view.ref.offset(), work.view.gen);
  SESSIONBLOCKS_CRASH("write.old_freed");
  if (work.record) record(work, work.outcome.key_id);
  SESSIONBLOCKS_CRASH("write.recorded");
  wake_slot(*place_.readers, *work.view.slot, work.view.index);
  work.chunk = {};
  if (is_erase(work.mutation.op)) {
    place_.memory->header().erased_entries.fetch_add(1, std::memory_order_relaxed);
  }
  if (fresh_slot) {
    // The operation is over for recovery; what follows may move slots of others.
    steps_.finish();
    growth_.after_insert();
  }
}

void Writer::record(Work& work, std::uint64_t key_id) {
  const layout::AuditRecord entry =
      make_record(place_.open, work.mutation.op, work.outcome.code, key_id, work.outcome.version,
                  work.outcome.value_bytes, work.now_ms);
  if (key_id == 0) {
    place_.ring->push_with_key(entry, work.key.bytes());
  } else if (work.outcome.code == Errc{} && logs_value(work)) {
    place_.ring->push_with_value(entry, work.plan.tail().size());
  } else {
    place_.ring->push(entry);
  }
}

void Writer::leave() noexcept {
  orphan_pages_of(*place_.memory, place_.owner);
  heap_.hazard().leave();
}

}  // namespace sessionblocks::segment
