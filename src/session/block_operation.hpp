// One operation on a block: taking the calling thread's lane, and the read that nearly all reads
// are.
#pragma once

#include "session/block_handle.hpp"

namespace sessionblocks {

// One operation of the calling thread: its lane, checked and marked busy until the end.
class Operation {
 public:
  // `value_cells`: of the ring, besides what an operation on such a key needs.
  Operation(BlockHandle& handle, std::size_t key_bytes, bool for_write,
            std::uint64_t value_cells = 0) noexcept {
    Lane* lane = handle.session_->cached();
    if (lane == nullptr || !handle.enter_if_clear(*lane, key_bytes, for_write, value_cells))
        [[unlikely]] {
      begin(handle, key_bytes, for_write, value_cells);
      return;
    }
    lane_ = lane;
  }
  ~Operation() {
    if (lane_ != nullptr) lane_->leave();
  }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  [[nodiscard]] Errc code() const noexcept { return code_; }
  [[nodiscard]] Lane& lane() const noexcept { return *lane_; }

 private:
  void begin(BlockHandle& handle, std::size_t key_bytes, bool for_write,
             std::uint64_t value_cells) noexcept;

  Lane* lane_ = nullptr;
  Errc code_{};
};

// What nearly every read is: of a short value that is there, in an index at rest, recorded in a
// ring with room or only counted. All of it is inlined, and the record is written where it will be
// while the node is looked at, so that little has to be kept; it is published when the look was
// good. False: it came to nothing.
template <bool kRecords, typename Copy>
[[gnu::always_inline]] inline bool BlockHandle::read_at_rest(Op op, const Key& key, Copy& copy,
                                                             ReadResult& read) {
  const std::uint64_t now_ms = platform::monotonic_coarse_ms();
  Lane* const lane = session_->cached();
  if (unlikely(lane == nullptr || !enter_if_clear(*lane, key.size(), false))) return false;
  const segment::KeyView view = view_of(key);
  RingCell* const cell = kRecords ? &lane->ring.next_cell() : nullptr;
  const bool is_read = segment::lookup_at_rest(
      *memory_, view, [&](const segment::SlotView& hit) __attribute__((always_inline)) {
        read.seen = Seen::of(hit, now_ms);
        if (unlikely(!read.seen.is_live || read.seen.value_bytes > kShortCopy)) return false;
        if constexpr (kRecords) {
          detail::store_cell(*cell, read.seen.record(open_, op, Errc{}, now_ms));
        }
        return copy(hit.value(), read.seen) == Errc{};
      });
  const bool is_whole = likely(is_read && !is_corrupt_.load(std::memory_order_relaxed));
  if (is_whole) {
    if constexpr (kRecords) {
      lane->ring.publish_next();
    } else {
      count_read(*lane);
    }
    note_use(view, now_ms);
  }
  lane->leave();
  return is_whole;
}

// The rest is read_closely's, which begins anew.
template <typename Copy>
[[gnu::always_inline]] inline ReadResult BlockHandle::read(Op op, const Key& key, Copy copy) {
  ReadResult read;
  const bool is_read = likely(audit_ == AuditLevel::full)
                           ? read_at_rest<true>(op, key, copy, read)
                           : read_at_rest<false>(op, key, copy, read);
  if (likely(is_read)) return read;
  return read_closely(op, key, copy);
}

template <typename Copy>
[[gnu::noinline]] ReadResult BlockHandle::read_closely(Op op, const Key& key, Copy copy) {
  ReadResult read;
  const Operation operation(*this, key.size(), false);
  read.code = operation.code();
  if (read.code != Errc{}) return read;
  Lane& lane = operation.lane();
  const segment::KeyView view = view_of(key);
  const std::uint64_t now_ms = platform::monotonic_coarse_ms();
  segment::SlotView slot;
  const segment::Found found = segment::lookup(
      *memory_, view, &lane_block(lane).hazard, slot, [&](const segment::SlotView& hit) {
        read.seen = Seen::of(hit, now_ms);
        read.code = read.seen.is_live ? copy(hit.value(), read.seen) : Errc::not_found;
      });
  if (found == segment::Found::absent) read = {Errc::not_found, Seen{}};
  const bool is_damaged = found == segment::Found::corrupt || read.code == Errc::corrupt;
  if (is_damaged || is_corrupt_.load(std::memory_order_relaxed)) read.code = corrupt();
  record_read(lane, op, view, read.code, read.seen, now_ms);
  if (read.code == Errc{}) note_use(view, now_ms);
  return read;
}

}  // namespace sessionblocks
