// BlockHandle: one open generation of a block in this process, and every operation on it.
//
// Shared by the Block objects of a session that opened the same name. Each operation runs on the
// calling thread's lane (lane.hpp); nothing here is locked on the data path.
#pragma once

#include "core/likely.hpp"
#include "platform/bus_guard.hpp"
#include "platform/clock.hpp"
#include "segment/moment.hpp"
#include "segment/mutation.hpp"
#include "segment/use_marks.hpp"
#include "session/moment_visitor.hpp"
#include "session/session_state.hpp"

#include <sessionblocks/block.hpp>
#include <sessionblocks/checkpoint.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>

namespace sessionblocks {

class BlockHandle : public std::enable_shared_from_this<BlockHandle> {
 public:
  [[nodiscard]] static Result<std::shared_ptr<BlockHandle>> open(
      std::shared_ptr<SessionState> session, DirectorClient& client, const Wanted& wanted);
  // What the director opened by any other request than by name. Should a generation end meanwhile
  // it opens the next one, of so many in a row.
  static constexpr int kMostInARow = 16;
  [[nodiscard]] static Result<std::shared_ptr<BlockHandle>> over(
      std::shared_ptr<SessionState> session, DirectorClient& client, const Reply& reply,
      std::string_view name, int left = kMostInARow);
  // The same block as it is now, as the director opens it anew (succession.cpp).
  [[nodiscard]] static Result<std::shared_ptr<BlockHandle>> reopen(
      std::shared_ptr<SessionState> session, DirectorClient& client, const BlockHandle& before);
  ~BlockHandle();

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::uint32_t id() const noexcept { return raw(active_.id()); }
  [[nodiscard]] std::uint32_t generation() const noexcept { return raw(active_.generation()); }
  [[nodiscard]] bool is_writable() const noexcept { return writable_; }
  // The longest value that its log takes, in bytes; no answer: it logs none.
  [[nodiscard]] std::optional<std::uint64_t> most_logged_bytes() const noexcept;
  [[nodiscard]] std::uint64_t ring_records() const noexcept;
  [[nodiscard]] std::uint16_t open_index() const noexcept { return open_; }
  [[nodiscard]] bool is_of(const SessionState& session) const noexcept {
    return session_.get() == &session;
  }
  [[nodiscard]] SessionState& session() const noexcept { return *session_; }
  // Whether another handle of the same block would not have refused with `code`.
  [[nodiscard]] bool has_successor(Errc code) const noexcept;
  // No thread is inside, and none comes in: what it holds is the director's again. Its memory stays
  // mapped until its end.
  void close() noexcept;
  // Whether control still knows this generation.
  [[nodiscard]] bool is_current() const noexcept;

  // Reads one entry (block_operation.hpp): `copy(bytes, seen)` may run several times and counts the
  // last time. An Errc that it returns ends the read with that outcome. not_found: no live entry.
  template <typename Copy>
  [[nodiscard]] ReadResult read(Op op, const Key& key, Copy copy);
  [[nodiscard]] Errc visit(const Key& key,
                           const std::function<void(std::span<const std::byte>)>& callback,
                           Seen& seen);
  [[nodiscard]] Result<std::uint64_t> for_each(
      std::string_view prefix, const std::function<bool(const EntryView&)>& callback);
  [[nodiscard]] Result<Version> wait(const Key& key, Version known, std::chrono::milliseconds limit,
                                     std::stop_token stop);
  [[nodiscard]] Result<Checkpoint> take_checkpoint(std::string_view name);
  [[nodiscard]] Result<std::vector<Checkpoint>> checkpoints();
  [[nodiscard]] Result<void> release_checkpoint(std::string_view name);
  [[nodiscard]] Result<void> roll_back(std::string_view name);
  // At a checkpoint, or several (block_at.cpp). no_such_checkpoint: one is not held (any more).
  [[nodiscard]] segment::Moment moment_of(const Checkpoint& checkpoint) const noexcept;
  template <typename Copy>
  [[nodiscard]] ReadResult read_at(const segment::Moment& moment, const Key& key, Copy copy);
  // Shows `visitor` the keys that it wants, as they were at each of the moments; how many.
  [[nodiscard]] Result<std::uint64_t> walk_at(std::span<const segment::Moment> moments,
                                              MomentVisitor& visitor);
  // outcome.code Errc{0}: committed. `outcome` is as it was made.
  void write(const Key& key, const segment::Mutation& mutation, segment::Outcome& outcome);
  // Brings the slots of keys that are about to be read closer.
  void prefetch(std::span<const Key> keys) noexcept;

 private:
  friend class Operation;
  friend class SessionState;  // successor_
  BlockHandle() = default;

  template <bool kRecords, typename Copy>
  [[nodiscard]] bool read_at_rest(Op op, const Key& key, Copy& copy, ReadResult& read);
  void count_read(Lane& lane) noexcept {
    auto& reads = lane.counters[open_].reads;  // only this thread stores here
    reads.store(reads.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  // read() of an index that grows, of a key that is not there, of bytes that look wrong.
  template <typename Copy>
  [[nodiscard]] ReadResult read_closely(Op op, const Key& key, Copy copy);
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
  [[nodiscard]] segment::Writer& writer_of(Lane& lane) {
    const auto& known = lane.blocks[open_];
    return likely(known && known->writer) ? *known->writer : make_writer(lane);
  }
  [[nodiscard]] segment::Writer& make_writer(Lane& lane);
  // Whether the record of a write finds no room in a ring whose policy is to count such.
  [[nodiscard]] bool is_lost(Lane& lane, std::size_t key_bytes,
                             std::uint64_t value_cells = 0) noexcept {
    return unlikely(on_full_ring_ == FullRing::count) && count_lost(lane, key_bytes, value_cells);
  }
  [[nodiscard]] bool count_lost(Lane& lane, std::size_t key_bytes,
                                std::uint64_t value_cells) noexcept;
  void record_read(Lane& lane, Op op, const segment::KeyView& key, Errc outcome, const Seen& seen,
                   std::uint64_t now_ms);
  // Latched: whatever this mapping shows from now on is worth nothing. What a block shows whose
  // bytes are being taken away is no damage.
  Errc corrupt() noexcept {
    const bool is_latched = is_corrupt_.load(std::memory_order_relaxed);
    if (const Errc state = check_state(false); !is_latched && state != Errc{}) return state;
    is_corrupt_.store(true, std::memory_order_relaxed);
    if (!is_reported_.exchange(true, std::memory_order_relaxed)) session_->report_damage();
    return Errc::corrupt;
  }
  [[nodiscard]] Errc check_state(bool for_write) const noexcept;
  [[nodiscard]] Errc wait_for_move() const noexcept;
  // Whether nothing stands in the way of an operation, and then the lane is inside it; false:
  // Operation::begin says what does.
  [[nodiscard]] bool enter_if_clear(Lane& lane, std::size_t key_bytes, bool for_write,
                                    std::uint64_t value_cells = 0) noexcept {
    if (unlikely(lane.is_busy())) return false;
    lane.enter(*this);
    if (likely(is_clear(lane, key_bytes, for_write, value_cells))) return true;
    lane.leave();
    return false;
  }
  [[nodiscard]] bool is_clear(const Lane& lane, std::size_t key_bytes, bool for_write,
                              std::uint64_t value_cells) const noexcept {
    return likely(!session_->is_forked()) && likely(key_bytes - 1 < kMaxKeyBytes) &&
           likely(!for_write || writable_) &&
           likely(!is_corrupt_.load(std::memory_order_relaxed)) &&
           likely(row_->life.load(std::memory_order_acquire) == active_.word) &&
           likely(
               !records(for_write) ||
               lane.ring.has_room_as_known(segment::Writer::cells_needed(key_bytes) + value_cells));
  }
  // Whether an operation leaves a record; else it is counted.
  [[nodiscard]] bool records(bool for_write) const noexcept {
    return likely(audit_ == AuditLevel::full) || (for_write && audit_ == AuditLevel::writes);
  }
  // Ring cells for the value that a write may log. value_too_large in `code`: more than the ring
  // takes.
  [[nodiscard]] std::uint64_t cells_for_value(const segment::Mutation& mutation,
                                              Errc& code) const noexcept {
    return likely(!logs_values_) ? 0 : cells_for_logged(mutation, code);
  }
  [[nodiscard]] std::uint64_t cells_for_logged(const segment::Mutation& mutation,
                                               Errc& code) const noexcept;
  [[nodiscard]] Errc make_room(Lane& lane, std::uint64_t cells);
  [[nodiscard]] segment::WriterPlace place_of(Lane& lane) noexcept;
  [[nodiscard]] segment::Evictor& evictor_of(Lane& lane);
  // The writer's apply(), until it is known what a change of the life word under it meant.
  void apply(segment::Writer& writer, const segment::KeyView& key,
             const segment::Mutation& mutation, bool record, std::uint64_t now_ms,
             segment::Outcome& outcome);
  // A write that found the block full: once more, each time that something could be taken out.
  void write_by_evicting(Lane& lane, const segment::KeyView& key, const segment::Mutation& mutation,
                         bool record, std::uint64_t now_ms, segment::Outcome& outcome);
  void count_evicted(Lane& lane, std::size_t number) noexcept;
  void count_refusal(Errc code) noexcept;
  void count_writes(Lane& lane, std::uint64_t number) noexcept {
    auto& writes = lane.counters[open_].writes;  // only this thread stores here
    writes.store(writes.load(std::memory_order_relaxed) + number, std::memory_order_relaxed);
  }
  // For who evicts what was not used for longest.
  void note_use(const segment::KeyView& key, std::uint64_t now_ms) noexcept {
    if (unlikely(at_limit_ == AtLimit::evict_lru)) segment::mark_use(*readers_, key.hash, now_ms);
  }

  std::shared_ptr<SessionState> session_;
  std::string name_;
  std::uint16_t open_ = 0;
  AccessMode mode_ = AccessMode::best;
  bool writable_ = false;
  bool may_gain_rights_ = false;
  bool is_closed_ = false;
  std::shared_ptr<BlockHandle> successor_;  // set once, by SessionState under its mutex
  layout::LifeWord active_;                 // control's word while we may read and write
  const layout::BlockRow* row_ = nullptr;
  AuditLevel audit_ = AuditLevel::full;
  FullRing on_full_ring_ = FullRing::wait;
  AtLimit at_limit_ = AtLimit::refuse;
  bool logs_values_ = false;
  platform::Mapping block_;
  platform::Mapping readers_map_;
  layout::ReadersSegment* readers_ = nullptr;
  std::atomic<std::uint64_t> waits_for_table_from_ms_{0};
  std::atomic<bool> is_corrupt_{false};  // by corrupt(), or by the guards
  std::atomic<bool> is_reported_{false};
  platform::BusGuard block_guard_;
  platform::BusGuard readers_guard_;
  std::unique_ptr<segment::BlockMemory> memory_;
};

}  // namespace sessionblocks
