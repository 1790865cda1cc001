// A key as the index sees it: bytes and their hash.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sessionblocks::segment {

struct KeyView {
  const std::byte* data = nullptr;
  std::uint32_t size = 0;
  std::uint64_t hash = 0;

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data, size}; }
};

// XXH3 with the seed of the session system, so that nobody outside can choose keys that collide.
[[nodiscard]] std::uint64_t hash_key(const std::byte* data, std::size_t size,
                                     std::uint64_t seed) noexcept;

// Tells keys apart where the keys themselves would take too much memory; for one walk, with a seed
// of its own, so that nobody can choose two that look the same.
struct KeyPrint {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const KeyPrint&, const KeyPrint&) = default;
};
[[nodiscard]] KeyPrint print_of(std::span<const std::byte> key, std::uint64_t seed) noexcept;

}  // namespace sessionblocks::segment
