// A record as a log gives it back: one operation of one worker.
#pragma once

#include <compare>
#include <cstdint>
#include <sessionblocks/error.hpp>
#include <string>

#include "core/ids.hpp"
#include "core/words.hpp"

namespace sessionblocks::flowlog {

// A block in one generation: what key ids are unique in. generation 32 | block id 32, as a
// worker's `opens` spell it.
struct BlockRef {
  std::uint64_t word = 0;

  [[nodiscard]] static constexpr BlockRef make(BlockId block, Generation generation) noexcept {
    return {(std::uint64_t{raw(generation)} << 32U) | raw(block)};
  }
  [[nodiscard]] constexpr BlockId block() const noexcept {
    return static_cast<BlockId>(static_cast<std::uint32_t>(word));
  }
  [[nodiscard]] constexpr Generation generation() const noexcept {
    return static_cast<Generation>(static_cast<std::uint32_t>(word >> 32U));
  }
  friend constexpr auto operator<=>(BlockRef, BlockRef) = default;
};

// A key id and where it is unique.
struct KeyRef {
  BlockRef block;
  std::uint64_t id = 0;
  friend constexpr auto operator<=>(KeyRef, KeyRef) = default;
};

// A ring: a thread's place in a worker.
struct LaneRef {
  std::uint32_t worker = 0;
  std::uint16_t lane = 0;
  friend constexpr auto operator<=>(LaneRef, LaneRef) = default;
};

struct LogRecord {
  LaneRef lane;
  std::uint64_t sequence = 0;  // index of its first ring cell
  std::uint64_t time_ms = 0;   // CLOCK_MONOTONIC_COARSE
  std::int64_t unix_ms = 0;
  BlockRef block;
  Op op = Op::get;
  std::uint16_t outcome = 0;  // Errc, 0 for ok
  std::uint16_t count = 1;    // identical operations in this record
  std::uint64_t key_id = 0;   // 0: none, or the key is inline
  std::uint64_t version = 0;
  std::uint32_t value_bytes = 0;   // saturates; no size, and 0, with an inline key
  bool has_key = false;            // key holds the key's bytes
  bool key_inline = false;         // and the record itself carried them
  bool has_value = false;          // it carried a value, which a values frame before it may hold
  std::uint64_t logged_bytes = 0;  // of that value
  std::string key;
  std::uint64_t key_cells = 0;  // with an inline key: ring cells of it, whatever it is shown as

  // Ring cells that it took.
  [[nodiscard]] std::uint64_t cells() const noexcept {
    return 1 + (key_inline ? key_cells : 0) + (has_value ? 1 + (logged_bytes + 31) / 32 : 0);
  }
};

}  // namespace sessionblocks::flowlog
