// BlockHandle: one open generation of a block in this process, and every operation on it.
//
// Shared by the Block objects of a session that opened the same name. Each operation runs on the
// calling thread's lane (lane.hpp); nothing here is locked on the data path.
#pragma once

#include "platform/bus_guard.hpp"
#include "platform/clock.hpp"
#include "segment/lookup.hpp"
#include "segment/mutation.hpp"
#include "session/seen.hpp"
#include "session/session_state.hpp"

#include <sessionblocks/block.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>

namespace sessionblocks {

class BlockHandle {
 public:
  [[nodiscard]] static Result<std::shared_ptr<BlockHandle>> open(
      std::shared_ptr<SessionState> session, DirectorClient& client, std::string_view name,
      AccessMode mode);
  ~BlockHandle();

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::uint32_t id() const noexcept { return raw(active_.id()); }
  [[nodiscard]] bool is_writable() const noexcept { return writable_; }
  // Whether control still knows this generation.
  [[nodiscard]] bool is_current() const noexcept;

  // Reads one entry: `copy(bytes, seen)` may run several times and counts the last time. An Errc
  // that it returns ends the read with that outcome. not_found: no live entry.
  template <typename Copy>
  [[nodiscard]] Errc read(Op op, const Key& key, Seen& seen, Copy&& copy);
  [[nodiscard]] Errc visit(const Key& key,
                           const std::function<void(std::span<const std::byte>)>& callback,
                           Seen& seen);
  [[nodiscard]] Result<std::uint64_t> for_each(
      std::string_view prefix, const std::function<bool(const EntryView&)>& callback);
  [[nodiscard]] Result<Version> wait(const Key& key, Version known, std::chrono::milliseconds limit,
                                     std::stop_token stop);
  // code Errc{0}: committed.
  [[nodiscard]] segment::Outcome write(const Key& key, const segment::Mutation& mutation);
  // Brings the slots of keys that are about to be read closer.
  void prefetch(std::span<const Key> keys) noexcept;

 private:
  friend class Operation;
  BlockHandle() = default;

  // read() of an index that grows, of a key that is not there, of bytes that look wrong.
  template <typename Copy>
  [[nodiscard]] Errc read_closely(Lane& lane, Op op, const segment::KeyView& key, Seen& seen,
                                  Copy& copy, std::uint64_t now_ms);
  [[nodiscard]] segment::KeyView view_of(const Key& key) const noexcept {
    return {key.data(), static_cast<std::uint32_t>(key.size()),
            key.is_hashed() ? key.hash()
                            : segment::hash_key(key.data(), key.size(), session_->hash_seed())};
  }
  [[nodiscard]] LaneBlock& lane_block(Lane& lane) {
    auto& known = lane.blocks[open_];
    return known ? *known : make_lane_block(lane);
  }
  [[nodiscard]] LaneBlock& make_lane_block(Lane& lane);
  [[nodiscard]] segment::Writer& writer(Lane& lane);
  void record_read(Lane& lane, Op op, const segment::KeyView& key, Errc outcome, const Seen& seen,
                   std::uint64_t now_ms);
  // What is only counted, a miss, a ring that is or may be full.
  void record_rare_read(Lane& lane, Op op, const segment::KeyView& key, Errc outcome,
                        const Seen& seen, std::uint64_t now_ms);
  // Latched: whatever this mapping shows from now on is worth nothing.
  Errc corrupt() noexcept {
    is_corrupt_.store(true, std::memory_order_relaxed);
    if (!is_reported_.exchange(true, std::memory_order_relaxed)) session_->report_damage();
    return Errc::corrupt;
  }
  [[nodiscard]] Errc check_state(bool for_write) const noexcept;
  // Whether nothing stands in the way of an operation; false: Operation::begin says what does.
  [[nodiscard]] bool is_clear(const Lane& lane, std::size_t key_bytes,
                              bool for_write) const noexcept {
    return !lane.busy && !session_->is_forked() && key_bytes - 1 < kMaxKeyBytes &&
           (!for_write || writable_) && !is_corrupt_.load(std::memory_order_relaxed) &&
           row_->life.load(std::memory_order_acquire) == active_.word &&
           (!records(for_write) ||
            lane.ring.has_room_as_known(segment::Writer::cells_needed(key_bytes)));
  }
  // Whether an operation leaves a record; else it is counted.
  [[nodiscard]] bool records(bool for_write) const noexcept {
    return audit_ == AuditLevel::full || (for_write && audit_ == AuditLevel::writes);
  }
  [[nodiscard]] Errc make_room(Lane& lane, std::size_t key_bytes);

  std::shared_ptr<SessionState> session_;
  std::string name_;
  std::uint16_t open_ = 0;
  bool writable_ = false;
  layout::LifeWord active_;  // control's word while we may read and write
  const layout::BlockRow* row_ = nullptr;
  AuditLevel audit_ = AuditLevel::full;
  FullRing on_full_ring_ = FullRing::wait;
  platform::Mapping block_;
  platform::Mapping readers_map_;
  layout::ReadersSegment* readers_ = nullptr;
  std::atomic<bool> is_corrupt_{false};  // by corrupt(), or by the guards
  std::atomic<bool> is_reported_{false};
  platform::BusGuard block_guard_;
  platform::BusGuard readers_guard_;
  std::unique_ptr<segment::BlockMemory> memory_;
};

// One operation of the calling thread: its lane, checked and marked busy until the end.
class Operation {
 public:
  Operation(BlockHandle& handle, std::size_t key_bytes, bool for_write) noexcept {
    Lane* lane = handle.session_->cached();
    if (lane == nullptr || !handle.is_clear(*lane, key_bytes, for_write)) [[unlikely]] {
      begin(handle, key_bytes, for_write);
      return;
    }
    lane->busy = true;
    lane_ = lane;
  }
  ~Operation() {
    if (lane_ != nullptr) lane_->busy = false;
  }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  [[nodiscard]] Errc code() const noexcept { return code_; }
  [[nodiscard]] Lane& lane() const noexcept { return *lane_; }

 private:
  void begin(BlockHandle& handle, std::size_t key_bytes, bool for_write) noexcept;

  Lane* lane_ = nullptr;
  Errc code_{};
};

inline void BlockHandle::record_read(Lane& lane, Op op, const segment::KeyView& key, Errc outcome,
                                     const Seen& seen, std::uint64_t now_ms) {
  if (audit_ != AuditLevel::full || seen.key_id == 0 || !lane.ring.has_room_as_known(1))
      [[unlikely]] {
    return record_rare_read(lane, op, key, outcome, seen, now_ms);
  }
  lane.ring.push(seen.record(open_, op, outcome, now_ms));
}

template <typename Copy>
[[gnu::always_inline]] inline Errc BlockHandle::read(Op op, const Key& key, Seen& seen,
                                                     Copy&& copy) {
  const Operation operation(*this, key.size(), false);
  if (operation.code() != Errc{}) [[unlikely]]
    return operation.code();
  Lane& lane = operation.lane();
  const segment::KeyView view = view_of(key);
  const std::uint64_t now_ms = platform::monotonic_coarse_ms();
  Seen last;
  Errc copied{};
  const segment::Found found = segment::lookup_at_rest(
      *memory_, view, [&](const segment::SlotView& hit) __attribute__((always_inline)) {
        last = Seen::of(hit, now_ms);
        copied = last.is_live ? copy(hit.value(), last) : Errc::not_found;
      });
  if (found != segment::Found::hit || copied == Errc::corrupt ||
      is_corrupt_.load(std::memory_order_relaxed)) [[unlikely]] {
    return read_closely(lane, op, view, seen, copy, now_ms);
  }
  record_read(lane, op, view, copied, last, now_ms);
  seen = last;
  return copied;
}

template <typename Copy>
[[gnu::noinline]] Errc BlockHandle::read_closely(Lane& lane, Op op, const segment::KeyView& key,
                                                 Seen& seen, Copy& copy, std::uint64_t now_ms) {
  segment::SlotView slot;
  Errc outcome{};
  const segment::Found found = segment::lookup(
      *memory_, key, &lane_block(lane).hazard, slot, [&](const segment::SlotView& hit) {
        seen = Seen::of(hit, now_ms);
        outcome = seen.is_live ? copy(hit.value(), seen) : Errc::not_found;
      });
  if (found == segment::Found::absent) {
    seen = Seen{};
    outcome = Errc::not_found;
  }
  const bool is_damaged = found == segment::Found::corrupt || outcome == Errc::corrupt;
  if (is_damaged || is_corrupt_.load(std::memory_order_relaxed)) outcome = corrupt();
  record_read(lane, op, key, outcome, seen, now_ms);
  return outcome;
}

}  // namespace sessionblocks
