// Keys and values as functions of numbers, so that every copy can be checked and none is stored.
//
// A value's first word is a tag of its key and a version; every further word follows from the first
// and its place. A copy that mixes two versions, belongs to another key, or lost its end is seen.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace sessionblocks::bench {

// splitmix64: different numbers stay different, neighbours go far apart.
[[nodiscard]] constexpr std::uint64_t mixed(std::uint64_t number) noexcept {
  number += 0x9E37'79B9'7F4A'7C15U;
  number = (number ^ (number >> 30U)) * 0xBF58'476D'1CE4'E5B9U;
  number = (number ^ (number >> 27U)) * 0x94D0'49BB'1331'11EBU;
  return number ^ (number >> 31U);
}

inline constexpr std::size_t kShortestKeyBytes = 16;
inline constexpr std::size_t kShortestValueBytes = 8;

// Hexadecimal digits of the mixed index; longer keys are filled up in front, as prefixes are.
inline void write_key(std::span<char> key, std::uint64_t index) noexcept {
  constexpr char kDigits[] = "0123456789abcdef";
  std::uint64_t rest = mixed(index);
  const std::size_t filled = key.size() - kShortestKeyBytes;
  std::memset(key.data(), 'k', filled);
  for (std::size_t at = key.size(); at > filled; --at) {
    key[at - 1] = kDigits[rest & 15U];
    rest >>= 4U;
  }
}

[[nodiscard]] constexpr std::uint64_t first_word(std::uint64_t key,
                                                 std::uint32_t version) noexcept {
  return (mixed(~key) << 32U) | version;
}

[[nodiscard]] constexpr std::uint64_t further_word(std::uint64_t first,
                                                   std::size_t place) noexcept {
  const std::uint64_t word = first * (0x9E37'79B9'7F4A'7C15U + 2 * place);
  return word ^ (word >> 32U);  // or the low bytes would not show a change of the high ones
}

inline void write_value(std::span<std::byte> value, std::uint64_t key,
                        std::uint32_t version) noexcept {
  std::uint64_t word = first_word(key, version);
  const std::uint64_t first = word;
  for (std::size_t at = 0; at < value.size(); at += 8) {
    if (at > 0) word = further_word(first, at);
    std::memcpy(value.data() + at, &word, value.size() - at < 8 ? value.size() - at : 8);
  }
}

// Is this some version of the key's value, whole?
[[nodiscard]] inline bool is_value_of(std::span<const std::byte> value,
                                      std::uint64_t key) noexcept {
  if (value.size() < kShortestValueBytes) return false;
  std::uint64_t first = 0;
  std::memcpy(&first, value.data(), 8);
  if (first >> 32U != (mixed(~key) & 0xFFFF'FFFFU)) return false;
  std::uint64_t differences = 0;
  std::size_t at = 8;
  for (; at + 8 <= value.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, value.data() + at, 8);
    differences |= word ^ further_word(first, at);
  }
  if (at < value.size()) {
    const std::uint64_t expected = further_word(first, at);
    if (std::memcmp(value.data() + at, &expected, value.size() - at) != 0) return false;
  }
  return differences == 0;
}

}  // namespace sessionblocks::bench
