// What a read saw besides the bytes, and the record of it.
#pragma once

#include "core/words.hpp"
#include "layout/worker.hpp"
#include "segment/probe.hpp"

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

  [[nodiscard]] layout::AuditRecord record(std::uint16_t open, Op op, Errc outcome,
                                           std::uint64_t now_ms) const noexcept {
    constexpr std::uint64_t kMost = UINT32_MAX;
    return {.key_id = key_id,
            .version = version,
            .time_ms = static_cast<std::uint32_t>(now_ms),
            .value_bytes = static_cast<std::uint32_t>(std::min(value_bytes, kMost)),
            .open = open,
            .op = static_cast<std::uint8_t>(op),
            .outcome = static_cast<std::uint8_t>(outcome),
            .count = 1,
            .flags = 0};
  }
};

}  // namespace sessionblocks
