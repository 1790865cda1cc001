// Values that say who wrote them: a text is a row of stamps, each {identity, bytes, checksum, words
// that follow from the identity}. put writes one stamp, append adds one. Bytes of two values, or of
// reused memory, never pass as one.
//
// The content of a text is one number that stands for its stamps in order, so the oracle can tell
// what a text must be without keeping it.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>

namespace sessionblocks::torture {

// Who wrote: slot 8 | life 24 | number of the operation in that life 32.
[[nodiscard]] constexpr std::uint64_t stamp_id(unsigned slot, std::uint32_t life,
                                               std::uint64_t operation) noexcept {
  return (std::uint64_t{slot} << 56U) | (std::uint64_t{life & 0xFF'FFFFU} << 32U) |
         (operation & 0xFFFF'FFFFU);
}

inline constexpr std::uint64_t kNoContent = 0;
[[nodiscard]] constexpr std::uint64_t mixed(std::uint64_t word) noexcept {
  word = (word ^ (word >> 30U)) * 0xBF58'476D'1CE4'E5B9U;
  word = (word ^ (word >> 27U)) * 0x94D0'49BB'1331'11EBU;
  return word ^ (word >> 31U);
}
[[nodiscard]] constexpr std::uint64_t content_with(std::uint64_t content,
                                                   std::uint64_t stamp) noexcept {
  return mixed(content ^ (stamp * 0x9E37'79B9'7F4A'7C15U)) | 1U;
}

struct StampHead {
  std::uint64_t id;
  std::uint64_t bytes;  // of the whole stamp, a multiple of 8
  std::uint64_t check;
};
static_assert(sizeof(StampHead) == 24);
inline constexpr std::size_t kLeastStamp = sizeof(StampHead);

[[nodiscard]] constexpr std::uint64_t check_of(std::uint64_t id, std::uint64_t bytes) noexcept {
  return mixed(id + 0x5E55'10B0 * bytes);
}

// `bytes` is rounded up to a multiple of 8.
inline void write_stamp(std::string& text, std::uint64_t id, std::size_t bytes) {
  bytes = (std::max(bytes, kLeastStamp) + 7) & ~std::size_t{7};
  text.resize(bytes);
  const StampHead head{id, bytes, check_of(id, bytes)};
  std::memcpy(text.data(), &head, sizeof head);
  std::uint64_t word = mixed(id);
  for (std::size_t at = sizeof head; at < bytes; at += 8) {
    word += 0x9E37'79B9'7F4A'7C15U;
    std::memcpy(text.data() + at, &word, 8);
  }
}

// What a text holds; nothing when no sequence of puts and appends makes these bytes.
[[nodiscard]] inline std::optional<std::uint64_t> content_of(std::span<const std::byte> text) {
  std::uint64_t content = kNoContent;
  std::size_t at = 0;
  while (at < text.size()) {
    StampHead head{};
    if (text.size() - at < sizeof head) return std::nullopt;
    std::memcpy(&head, text.data() + at, sizeof head);
    if (head.bytes < sizeof head || head.bytes > text.size() - at || head.bytes % 8 != 0 ||
        head.check != check_of(head.id, head.bytes)) {
      return std::nullopt;
    }
    std::uint64_t word = mixed(head.id);
    for (std::size_t i = at + sizeof head; i < at + head.bytes; i += 8) {
      std::uint64_t found = 0;
      std::memcpy(&found, text.data() + i, 8);
      word += 0x9E37'79B9'7F4A'7C15U;
      if (found != word) return std::nullopt;
    }
    content = content_with(content, head.id);
    at += head.bytes;
  }
  return content;
}

}  // namespace sessionblocks::torture
