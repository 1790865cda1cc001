// The write that nearly every write is: of an entry that is there and short, in an index at rest,
// in a block that no checkpoint pins, into a chunk that lies ready. The steps are those of run(),
// and what they leave when a writer dies between two of them is the same.
#include "lockfree/cas16.hpp"
#include "segment/waiters.hpp"
#include "segment/writer.hpp"

namespace sessionblocks::segment {

using layout::Gen;
using layout::make_gen;
using layout::Node;
using layout::NodeState;
using layout::Shape;
using layout::SlotRef;
using layout::ValueType;

namespace {

// What stands in the slot, and what shall. Its address goes nowhere: it lives in registers.
struct Overwrite {
  SlotView at;
  std::uint64_t old_version = 0;
  std::uint64_t key_id = 0;
  std::uint64_t expiry_ms = 0;
};

// Whether the operation overwrites what the slot holds; else run() finds out what it does.
[[gnu::always_inline]] inline bool plan_overwrite(const Mutation& mutation, const SlotView& view,
                                                  std::uint64_t now_ms, Overwrite& plan,
                                                  std::int64_t& sum) noexcept {
  const auto relaxed = std::memory_order_relaxed;
  plan.at = view;
  plan.old_version = view.node->version.load(relaxed);
  plan.key_id = view.node->key_id.load(relaxed);
  const std::uint64_t old_expiry = view.node->expiry_ms.load(relaxed);
  plan.expiry_ms = mutation.expiry == ExpiryRule::never ? 0
                   : mutation.expiry == ExpiryRule::at  ? mutation.expires_at_ms
                                                        : old_expiry;
  if (unlikely(view.ref.mark() != layout::Mark::live || view.shape.linked ||
               view.shape.type == ValueType::tombstone ||
               (old_expiry != 0 && old_expiry <= now_ms))) {
    return false;
  }
  if (mutation.op == Op::increment) {
    if (unlikely(mutation.type != ValueType::integer || view.shape.type != ValueType::integer ||
                 view.shape.value_bytes != sizeof sum)) {
      return false;
    }
    const auto before = static_cast<std::int64_t>(sessionblocks::detail::load_word(view.value()));
    return likely(!__builtin_add_overflow(before, mutation.add_integer, &sum));
  }
  if (mutation.op == Op::put || mutation.op == Op::replace) return true;
  return mutation.op == Op::compare_and_set && plan.old_version == mutation.expected_version;
}

[[gnu::always_inline]] inline void fill_node(Node& node, const NodeHead& head, const KeyView& key,
                                             std::span<const std::byte> value) noexcept {
  CommitSteps::write_head(node, head);
  auto* const bytes = reinterpret_cast<std::byte*>(&node);
  copy_in(bytes + head.shape.key_at(), key.data, key.size);
  copy_in(bytes + head.shape.value_at(), value.data(), value.size());
}

[[gnu::always_inline]] inline void report(const Overwrite& plan, const NodeHead& head,
                                          std::int64_t sum, Outcome& outcome) noexcept {
  outcome.version = head.version;
  outcome.value_bytes = head.shape.value_bytes;
  outcome.old_type = plan.at.shape.type;
  outcome.key_id = plan.key_id;
  outcome.expiry_ms = plan.expiry_ms;
  std::memcpy(outcome.number.data(), &sum, sizeof sum);
}

}  // namespace

bool Writer::overwrite_at_rest(const KeyView& key, const Mutation& mutation, layout::LifeWord life,
                               bool record_it, std::uint64_t now_ms, Outcome& outcome) {
  BlockMemory& memory = *place_.memory;
  const auto& header = memory.header();
  Overwrite plan;
  std::int64_t sum = 0;
  const bool is_found = lookup_at_rest(
      memory, key, [&](const SlotView& view) __attribute__((always_inline)) {
        return plan_overwrite(mutation, view, now_ms, plan, sum);
      });
  const auto value = mutation.op == Op::increment
                         ? std::as_bytes(std::span<const std::int64_t>(&sum, 1))
                         : mutation.value;
  const Shape shape{value.size(), key.size, mutation.type};
  if (unlikely(!is_found || value.size() > kShortCopy || !heap_.has_incarnation())) return false;
  const std::uint64_t offset = heap_.pop_ready_at_hand(class_of(shape.node_bytes()));
  if (unlikely(offset == 0)) return false;

  const std::uint64_t what = what_of(mutation.op);
  const NodeHead head{make_gen(heap_.next_incarnation_at_hand(), NodeState::in_use),
                      shape,
                      plan.old_version + 1,
                      plan.key_id,
                      plan.expiry_ms,
                      key.hash};
  CommitSteps steps = steps_;  // known to be nobody else's, as a local one
  steps.describe_slot({what, plan.at.index, plan.at.ref.offset(), plan.at.gen, head.version,
                       plan.key_id, value.size(), record_it ? place_.ring->next() + 1 : 0});
  steps.begin(what);
  steps.name_chunk(offset, head.gen);
  Node& node = *reinterpret_cast<Node*>(memory.base() + offset);
  steps.enter_chunk(node, head.gen);
  steps.entered();
  fill_node(node, head, key, value);
  mark_displaced(*plan.at.node, plan.at.gen);
  steps.name_slot(plan.at.table.word);
  const std::uint64_t instant = header.snapshot_clock.load(std::memory_order_acquire);
  node.stamp.store(layout::Stamp{instant, now_ms}.pack(), std::memory_order_relaxed);
  SESSIONBLOCKS_CRASH("write.before_commit");
  // The pins after the clock, as in link_for. W1: as in attempt().
  const SlotRef fresh = SlotRef::make(key.hash, offset, layout::Mark::live);
  if (unlikely(place_.life->load(std::memory_order_acquire) != life.word ||
               header.pin_count.load(std::memory_order_acquire) != 0 ||
               header.table.load(std::memory_order_acquire) != plan.at.table.word.word ||
               layout::TableWord{header.old_table.load(std::memory_order_acquire)}.is_table() ||
               !compare_and_swap(*plan.at.slot, {plan.at.ref.word, plan.at.ver},
                                 {fresh.word, plan.at.ver + 1}))) {
    steps.unname_slot();
    heap_.put_back({offset, kClassBytes[class_of(shape.node_bytes())], 0}, head.gen);
    steps.finish();
    return false;
  }
  SESSIONBLOCKS_CRASH("write.committed");
  if (unlikely(!heap_.free_at_hand(*plan.at.node, plan.at.ref.offset(), plan.at.gen))) {
    heap_.free_node(plan.at.ref.offset(), plan.at.gen);
  }
  SESSIONBLOCKS_CRASH("write.old_freed");
  if (record_it) {
    place_.ring->push(make_record(place_.open, mutation.op, Errc{}, plan.key_id, head.version,
                                  value.size(), now_ms));
  }
  SESSIONBLOCKS_CRASH("write.recorded");
  wake_slot(*place_.readers, *plan.at.slot, plan.at.index);
  steps.finish();
  report(plan, head, sum, outcome);
  return true;
}

}  // namespace sessionblocks::segment
