// BlockHandle: operations that run a caller's code or wait.
#include "platform/futex.hpp"
#include "segment/scan.hpp"
#include "segment/waiters.hpp"
#include "session/block_operation.hpp"

#include <algorithm>

namespace sessionblocks {
namespace {

using namespace std::chrono_literals;

// A wait looks again this often, so that a wake lost with a dead writer costs no more.
constexpr std::chrono::nanoseconds kLongestSleep = 100ms;

// Clears a hazard also when the caller's callback throws.
struct HazardGuard {
  segment::HazardSlot& hazard;
  ~HazardGuard() { hazard.clear(); }
};

[[nodiscard]] std::optional<std::chrono::milliseconds> time_left(std::uint64_t expiry_ms,
                                                                 std::uint64_t now_ms) {
  if (expiry_ms == 0) return std::nullopt;
  return std::chrono::milliseconds(expiry_ms > now_ms ? expiry_ms - now_ms : 0);
}

}  // namespace

Errc BlockHandle::visit(const Key& key,
                        const std::function<void(std::span<const std::byte>)>& callback,
                        Seen& seen) {
  Operation operation(*this, key.size(), false);
  if (operation.code() != Errc{}) return operation.code();
  segment::HazardSlot& hazard = lane_block(operation.lane()).hazard;
  const segment::KeyView view = view_of(key);
  const std::uint64_t now_ms = platform::monotonic_coarse_ms();
  for (int tries = 0; tries < segment::kMostTries; ++tries) {
    segment::SlotView slot;
    seen = Seen{};
    const segment::Found found =
        segment::lookup(*memory_, view, nullptr, slot,
                        [&](const segment::SlotView& hit) { seen = Seen::of(hit, now_ms); });
    if (found != segment::Found::hit) seen.is_live = false;
    if (!seen.is_live) {
      if (found == segment::Found::absent) seen = Seen{};
      const Errc outcome = found == segment::Found::corrupt ? corrupt() : Errc::not_found;
      record_read(operation.lane(), Op::visit, view, outcome, seen, now_ms);
      return outcome;
    }
    const HazardGuard guard{hazard};
    if (!hazard.protect(slot.ref.offset())) return Errc::too_many;
    // The node stood in its slot after the hazard was visible: nobody reuses it now.
    if (slot.slot->low.load(std::memory_order_seq_cst) != slot.ref.word ||
        slot.slot->high.load(std::memory_order_seq_cst) != slot.ver) {
      continue;
    }
    // Before the first byte is visible to the caller.
    record_read(operation.lane(), Op::visit, view, Errc{}, seen, now_ms);
    note_use(view, now_ms);
    callback({slot.value(), slot.shape.value_bytes});
    const auto gen = memory_->authentic_gen(slot.ref.offset());
    if (is_corrupt_.load(std::memory_order_relaxed)) return corrupt();
    const bool same = gen && layout::incarnation_of(*gen) == layout::incarnation_of(slot.gen);
    return same ? Errc{} : Errc::conflict;
  }
  return corrupt();
}

Result<std::uint64_t> BlockHandle::for_each(std::string_view prefix,
                                            const std::function<bool(const EntryView&)>& callback) {
  Operation operation(*this, 1, false);
  if (operation.code() != Errc{}) return fail(operation.code());
  const std::uint64_t now_ms = platform::monotonic_coarse_ms();
  std::vector<std::byte> node;  // a private copy: the callback must not hold up reuse
  layout::Shape shape;
  Seen seen;
  std::uint64_t shown = 0;
  Errc stopped{};
  bool is_damaged = false;
  const auto copy = [&](const segment::SlotView& hit) {
    shape = hit.shape;
    seen = Seen::of(hit, now_ms);
    const std::uint64_t from = shape.key_at();
    node.resize(shape.node_bytes() - from);
    copy_out(node.data(), reinterpret_cast<const std::byte*>(hit.node) + from, node.size());
  };
  const auto show = [&] {
    if (!seen.is_live) return true;
    // A record of what no writer leaves would make the log refuse the rest of ours.
    is_damaged = shape.key_bytes == 0 || shape.key_bytes > kMaxKeyBytes ||
                 shape.type > layout::ValueType::boolean;
    if (is_damaged) return false;
    const std::string_view key(reinterpret_cast<const char*>(node.data()), shape.key_bytes);
    if (!key.starts_with(prefix)) return true;
    if (audit_ == AuditLevel::full)
      stopped = make_room(operation.lane(), segment::Writer::cells_needed(key.size()));
    if (stopped != Errc{}) return false;
    const segment::KeyView record_key{node.data(), shape.key_bytes, 0};
    record_read(operation.lane(), Op::for_each, record_key, Errc{}, seen, now_ms);
    ++shown;
    if (!callback) return true;
    const std::span<const std::byte> value(node.data() + (shape.value_at() - shape.key_at()),
                                           shape.value_bytes);
    return callback({key, static_cast<Type>(shape.type), value, static_cast<Version>(seen.version),
                     time_left(seen.expiry_ms, now_ms)});
  };
  if (!segment::scan(*memory_, &lane_block(operation.lane()).hazard, copy, show) || is_damaged) {
    return fail(corrupt(), "block " + name_);
  }
  if (is_corrupt_.load(std::memory_order_relaxed)) return fail(corrupt(), "block " + name_);
  if (stopped != Errc{}) return fail(stopped);
  return shown;
}

Result<Version> BlockHandle::wait(const Key& key, Version known, std::chrono::milliseconds limit,
                                  std::stop_token stop) {
  const auto until = std::chrono::steady_clock::now() + limit;
  std::atomic<const std::atomic<std::uint32_t>*> sleeping_on{nullptr};
  const std::stop_callback wake_us(stop, [&] {
    if (const auto* word = sleeping_on.load()) platform::futex_wake(*word);
  });
  for (;;) {
    Operation operation(*this, key.size(), false);
    if (operation.code() != Errc{}) return fail(operation.code());
    const segment::KeyView view = view_of(key);
    const std::uint64_t now_ms = platform::monotonic_coarse_ms();
    segment::SlotView slot;
    Seen seen;
    const segment::Found found =
        segment::lookup(*memory_, view, &lane_block(operation.lane()).hazard, slot,
                        [&](const segment::SlotView& hit) { seen = Seen::of(hit, now_ms); });
    if (found == segment::Found::corrupt) return fail(corrupt(), "block " + name_);
    const bool live = found == segment::Found::hit && seen.is_live;
    const auto current = static_cast<Version>(live ? seen.version : 0);
    if (current != known) {
      if (found == segment::Found::absent) seen = Seen{};
      record_read(operation.lane(), Op::get, view, live ? Errc{} : Errc::not_found, seen, now_ms);
      return current;
    }
    if (stop.stop_requested()) return fail(Errc::cancelled);
    auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
        until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return fail(Errc::timed_out);
    left = std::min(left, kLongestSleep);
    if (seen.expiry_ms > now_ms) {
      left = std::min<std::chrono::nanoseconds>(
          left, std::chrono::milliseconds(seen.expiry_ms - now_ms + 1));
    }
    if (slot.slot == nullptr) continue;
    // The flag before the last look, so that a writer who changes the slot after it wakes us; the
    // kernel looks at the word once more before we sleep.
    segment::waiter_flag(*readers_, slot.index).store(1, std::memory_order_seq_cst);
    const auto& word = segment::wait_word(*slot.slot);
    sleeping_on.store(&word);
    (void)platform::futex_wait_for(word, static_cast<std::uint32_t>(slot.ver), left);
    sleeping_on.store(nullptr);
  }
}

}  // namespace sessionblocks
