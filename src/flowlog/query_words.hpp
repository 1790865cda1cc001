// The words of a query, as options and expressions take them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/words.hpp"

namespace sessionblocks::flowlog {

// A set of operations: the bit of each Op.
using Ops = std::uint32_t;
[[nodiscard]] constexpr Ops bit_of(Op op) noexcept {
  return Ops{1} << (static_cast<unsigned>(op) & 31U);
}
inline constexpr Ops kReads = 1U << 2U | 1U << 3U | 1U << 4U | 1U << 14U;
inline constexpr Ops kWrites = 0x3FE0U | 1U << 16U;  // put to get_and_erase, evict

// An operation such as "put", or the groups "read" and "write" ("reads" and "writes" too).
[[nodiscard]] std::optional<Ops> ops_of(std::string_view name) noexcept;
// "ok", or the word of an error; as Errc.
[[nodiscard]] std::optional<std::uint16_t> outcome_of(std::string_view name) noexcept;
// "10m" is that long before `now_unix_ms`; else a UTC time such as 2026-11-22T09:05:28.123Z, which
// may end after the day, the minute or the second. In ms since 1970.
[[nodiscard]] std::optional<std::int64_t> time_of(std::string_view text, std::int64_t now_unix_ms);

}  // namespace sessionblocks::flowlog
