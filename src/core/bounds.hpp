// Arithmetic on numbers that came from shared bytes: it never wraps.
#pragma once

#include <cstdint>

namespace sessionblocks {

// Whether [begin, begin + bytes) lies inside [0, limit).
[[nodiscard]] constexpr bool fits(std::uint64_t begin, std::uint64_t bytes,
                                  std::uint64_t limit) noexcept {
  return bytes <= limit && begin <= limit - bytes;
}

// `unit` is a power of two. Callers pass values far below 2^64 - unit.
[[nodiscard]] constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t unit) noexcept {
  return (value + unit - 1) & ~(unit - 1);
}

[[nodiscard]] constexpr std::uint64_t divide_up(std::uint64_t value, std::uint64_t unit) noexcept {
  return value / unit + (value % unit != 0 ? 1 : 0);
}

}  // namespace sessionblocks
