// What a block's keys were used for, estimated from a sample of bounded size: how much is there,
// and how much of it nobody has touched for a while.
//
// Adaptive sampling (Flajolet, "On adaptive sampling", 1990): a key is in the sample when the hash
// of its id has `depth` zero bits; when there are too many, depth grows by one and half of them go.
// Each stands for 2^depth keys. The error of a total is about 1 / sqrt(kMost / 2), 3 %; below
// kMost keys it is exact. What an entry is that leaves by its expiry, no record says: it is
// forgotten when its key is next looked for in vain.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "lockfree/audit_ring.hpp"

namespace sessionblocks::flowguard {

class KeySample {
 public:
  static constexpr std::size_t kMost = 2'048;
  static constexpr std::uint64_t kStaleMs = 30'000;
  static constexpr std::uint64_t kUnreadMs = 60'000;

  // Its `key_id` is not 0.
  void add(const RingCell& record, std::uint64_t now_ms);

  struct Totals {
    double live_bytes = 0;
    double stale_bytes = 0;  // neither read nor changed for kStaleMs
    double unread_entries = 0;
  };
  [[nodiscard]] Totals totals(std::uint64_t now_ms) const;

 private:
  struct Entry {
    std::uint32_t bytes = 0;
    bool is_read = false;
    std::uint64_t written_ms = 0;  // first
    std::uint64_t used_ms = 0;
  };
  [[nodiscard]] bool is_in(std::uint64_t key_id) const noexcept {
    const std::uint64_t hash = (key_id ^ (key_id >> 32U)) * 0x9E37'79B9'7F4A'7C15U;
    return (hash & mask_) == 0;
  }
  void thin_out();

  std::unordered_map<std::uint64_t, Entry> entries_;
  std::uint64_t mask_ = 0;  // of the hash bits that must be zero, from the top
};

}  // namespace sessionblocks::flowguard
