// What a read saw besides the bytes, and the record of it.
#pragma once

#include "core/words.hpp"
#include "lockfree/audit_ring.hpp"
#include "segment/moment.hpp"

#include <sessionblocks/error.hpp>

#include <algorithm>
#include <cstdint>

namespace sessionblocks {

struct Seen {
  layout::ValueType type = layout::ValueType::tombstone;
  std::uint64_t version = 0;
  std::uint64_t expiry_ms = 0;
  std::uint64_t key_id = 0;  // 0: a record has to carry the key itself
  std::uint64_t value_bytes = 0;
  bool is_live = false;

  // Of the node in a slot; lookup() checks afterwards that it was what the slot held.
  [[nodiscard, gnu::always_inline]] static Seen of(const segment::SlotView& hit,
                                                   std::uint64_t now_ms) noexcept {
    const auto relaxed = std::memory_order_relaxed;
    Seen seen;
    seen.type = hit.shape.type;
    seen.version = hit.node->version.load(relaxed);
    seen.expiry_ms = hit.node->expiry_ms.load(relaxed);
    seen.value_bytes = hit.shape.value_bytes;
    seen.is_live = seen.type != layout::ValueType::tombstone &&
                   (seen.expiry_ms == 0 || seen.expiry_ms > now_ms);
    seen.key_id = seen.is_live ? hit.node->key_id.load(relaxed) : 0;
    return seen;
  }

  // Of a version that a checkpoint holds.
  [[nodiscard]] static Seen of(const segment::Version& version,
                               const segment::Moment& moment) noexcept {
    const auto relaxed = std::memory_order_relaxed;
    Seen seen;
    seen.type = version.shape.type;
    seen.version = version.node->version.load(relaxed);
    seen.expiry_ms = version.node->expiry_ms.load(relaxed);
    seen.value_bytes = version.shape.value_bytes;
    seen.is_live = segment::is_live(version, moment);
    seen.key_id = seen.is_live ? version.node->key_id.load(relaxed) : 0;
    return seen;
  }

  [[nodiscard]] RingCell record(std::uint16_t open, Op op, Errc outcome,
                                std::uint64_t now_ms) const noexcept {
    return make_record(open, op, outcome, key_id, version, value_bytes, now_ms);
  }
};

// What a read gave.
struct ReadResult {
  Errc code{};
  Seen seen;
};

}  // namespace sessionblocks
