// Chunk sizes of heap pages. Steps of 16 bytes up to 256, then as many whole chunks per page as
// fit, so that at most a fifth of a chunk is waste (jemalloc's spacing idea, fitted to 16 KiB
// pages).
#pragma once

#include "layout/page.hpp"

#include <array>
#include <cstdint>

namespace sessionblocks::segment {

inline constexpr std::array<std::uint32_t, 29> kClassBytes = {
    80,  96,  112, 128, 144, 160,  176,  192,  208,  224,  240,  256,  304,  336, 384,
    448, 512, 624, 736, 896, 1088, 1360, 1632, 2032, 2720, 3264, 4096, 5456, 8192};
inline constexpr std::uint8_t kRunClass = 31;  // a node that fills pages of its own
inline constexpr std::uint32_t kMaxChunkBytes = kClassBytes.back();

[[nodiscard]] constexpr std::uint32_t chunks_per_page(std::uint8_t size_class) noexcept {
  return static_cast<std::uint32_t>(layout::kPageBytes / kClassBytes[size_class]);
}
static_assert(chunks_per_page(0) <= layout::kHintWords * 64);
// BlockMemory::node() takes nothing else for the place of a node.
static_assert([] {
  for (const std::uint32_t bytes : kClassBytes) {
    if (bytes % 16 != 0) return false;
  }
  return true;
}());

namespace detail {
constexpr auto class_table() noexcept {
  std::array<std::uint8_t, kMaxChunkBytes / 16 + 1> table{};
  std::uint8_t size_class = 0;
  for (std::uint32_t unit = 0; unit < table.size(); ++unit) {
    while (kClassBytes[size_class] < unit * 16) ++size_class;
    table[unit] = size_class;
  }
  return table;
}
inline constexpr auto kClassOf = class_table();

constexpr auto inverses() noexcept {
  std::array<std::uint64_t, kClassBytes.size()> table{};
  for (std::size_t c = 0; c < table.size(); ++c) {
    table[c] = ((std::uint64_t{1} << 32U) + kClassBytes[c] - 1) / kClassBytes[c];
  }
  return table;
}
inline constexpr auto kInverse = inverses();
}  // namespace detail

// Which chunk of its page begins at this byte; nothing a chunk of the class begins at: more than
// there are. By a product instead of a quotient, which is exact for bytes of a page.
[[nodiscard]] constexpr std::uint32_t chunk_at(std::uint8_t size_class,
                                               std::uint64_t in_page) noexcept {
  const std::uint64_t bytes = kClassBytes[size_class];
  const std::uint64_t index = (in_page * detail::kInverse[size_class]) >> 32U;
  return index * bytes == in_page ? static_cast<std::uint32_t>(index) : UINT32_MAX;
}
static_assert([] {
  for (std::uint8_t c = 0; c < kClassBytes.size(); ++c) {
    for (std::uint64_t at = 0; at < layout::kPageBytes; at += 16) {
      const bool begins = at % kClassBytes[c] == 0;
      if (chunk_at(c, at) != (begins ? at / kClassBytes[c] : UINT32_MAX)) return false;
    }
  }
  return true;
}());

// The smallest class that holds `bytes`; kRunClass when none does.
[[nodiscard]] constexpr std::uint8_t class_of(std::uint64_t bytes) noexcept {
  return bytes <= kMaxChunkBytes ? detail::kClassOf[(bytes + 15) / 16] : kRunClass;
}

[[nodiscard]] constexpr std::uint64_t run_pages_of(std::uint64_t bytes) noexcept {
  return (bytes + layout::kPageBytes - 1) / layout::kPageBytes;
}

}  // namespace sessionblocks::segment
