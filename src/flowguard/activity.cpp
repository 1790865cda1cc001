#include "flowguard/activity.hpp"

#include <utility>

namespace sessionblocks::flowguard {
namespace {

bool is_write(Op op) noexcept {
  return op >= Op::put && op <= Op::get_and_erase;
}

}  // namespace

void Activity::drained(WorkerId worker, std::span<const RingCell> cells,
                       const director::OpenBlocks& opens) {
  const std::uint64_t now_ms = now_ms_.load(std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  // Runs of one block are the rule: what was looked up for the record before serves this one.
  unsigned open = layout::kOpens;
  Use* use = nullptr;
  KeySample* sample = nullptr;
  const RingCell* before = nullptr;
  for (std::size_t at = 0; at < cells.size();) {
    const RingCell& record = cells[at];
    const bool is_whole =
        at + head_cells(record) < cells.size() || (record.flags & layout::kInlineValue) == 0;
    at += is_whole ? cells_of(cells.subspan(at)) : cells.size();
    if (record.open != open) {
      open = record.open;
      const BlockId block = opens.block_of(open);
      use = block == BlockId{} ? nullptr : &taken_.uses[{worker, block}];
      sample = use == nullptr ? nullptr : &samples_[block];
      before = nullptr;
    }
    if (use == nullptr) continue;
    count(record, *use);
    const bool is_same = before != nullptr && before->key_id == record.key_id &&
                         before->op == record.op && before->value_bytes == record.value_bytes;
    before = &record;
    if (!is_same && record.key_id != 0) sample->add(record, now_ms);
  }
}

void Activity::count(const RingCell& record, Use& use) {
  const auto op = static_cast<Op>(record.op);
  const bool has_key = (record.flags & layout::kInlineKey) != 0;
  if (op == Op::define_key) return;
  if (is_write(op)) {
    use.writes += record.count;
    if (!has_key) use.written_bytes += record.value_bytes;
  } else if (op != Op::drop && op != Op::evict) {
    use.reads += record.count;
  }
}

void Activity::forged(WorkerId worker) {
  const std::lock_guard lock(mutex_);
  ++taken_.forgeries[worker];
}

Activity::Taken Activity::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(taken_, {});
}

KeySample::Totals Activity::keys_of(BlockId block, std::uint64_t now_ms) const {
  const std::lock_guard lock(mutex_);
  const auto found = samples_.find(block);
  return found == samples_.end() ? KeySample::Totals{} : found->second.totals(now_ms);
}

void Activity::forget(BlockId block) {
  const std::lock_guard lock(mutex_);
  samples_.erase(block);
}

}  // namespace sessionblocks::flowguard
