// BlockHandle: one open generation of a block in this process, and every operation on it.
//
// Shared by the Block objects of a session that opened the same name. Each operation runs on the
// calling thread's lane (lane.hpp); nothing here is locked on the data path.
#pragma once

#include "platform/bus_guard.hpp"
#include "platform/clock.hpp"
#include "segment/lookup.hpp"
#include "segment/mutation.hpp"
#include "session/session_state.hpp"

#include <sessionblocks/block.hpp>

#include <atomic>
#include <memory>
#include <string>

namespace sessionblocks {

// What a read saw besides the bytes.
struct Seen {
  layout::ValueType type = layout::ValueType::tombstone;
  std::uint64_t version = 0;
  std::uint64_t expiry_ms = 0;
  std::uint64_t key_id = 0;
  std::uint64_t value_bytes = 0;
  bool is_live = false;
};

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

  [[nodiscard]] segment::KeyView view_of(const Key& key) const noexcept;
  [[nodiscard]] LaneBlock& lane_block(Lane& lane);
  [[nodiscard]] segment::Writer& writer(Lane& lane);
  void record_read(Lane& lane, Op op, const segment::KeyView& key, Errc outcome, const Seen& seen,
                   std::uint64_t now_ms);
  [[nodiscard]] Errc check_state(bool for_write) const noexcept;
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
  std::atomic<bool> is_corrupt_{false};
  platform::BusGuard block_guard_;
  platform::BusGuard readers_guard_;
  std::unique_ptr<segment::BlockMemory> memory_;
};

// One operation of the calling thread: its lane, checked and marked busy until the end.
class Operation {
 public:
  Operation(BlockHandle& handle, std::size_t key_bytes, bool for_write) noexcept;
  ~Operation() {
    if (lane_ != nullptr) lane_->busy = false;
  }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  [[nodiscard]] Errc code() const noexcept { return code_; }
  [[nodiscard]] Lane& lane() const noexcept { return *lane_; }

 private:
  Lane* lane_ = nullptr;
  Errc code_{};
};

template <typename Copy>
Errc BlockHandle::read(Op op, const Key& key, Seen& seen, Copy&& copy) {
  Operation operation(*this, key.size(), false);
  if (operation.code() != Errc{}) return operation.code();
  const segment::KeyView view = view_of(key);
  const std::uint64_t now_ms = platform::monotonic_coarse_ms();
  segment::SlotView slot;
  Errc copied{};
  const segment::Found found = segment::lookup(
      *memory_, view, &lane_block(operation.lane()).hazard, slot,
      [&](const segment::SlotView& hit) {
        const auto relaxed = std::memory_order_relaxed;  // lookup() checks afterwards
        seen.type = hit.shape.type;
        seen.version = hit.node->version.load(relaxed);
        seen.expiry_ms = hit.node->expiry_ms.load(relaxed);
        seen.key_id = hit.node->key_id.load(relaxed);
        seen.value_bytes = hit.shape.value_bytes;
        seen.is_live = seen.type != layout::ValueType::tombstone &&
                       (seen.expiry_ms == 0 || seen.expiry_ms > now_ms);
        copied = Errc::not_found;
        if (!seen.is_live) return;
        const auto* bytes = reinterpret_cast<const std::byte*>(hit.node) + hit.shape.value_at();
        copied = copy(bytes, seen);
      });
  Errc outcome = found == segment::Found::hit ? copied : Errc::not_found;
  if (found == segment::Found::absent) seen = Seen{};
  if (found == segment::Found::corrupt || is_corrupt_.load(std::memory_order_relaxed)) {
    is_corrupt_.store(true, std::memory_order_relaxed);
    outcome = Errc::corrupt;
  }
  record_read(operation.lane(), op, view, outcome, seen, now_ms);
  return outcome;
}

}  // namespace sessionblocks
