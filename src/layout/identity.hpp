// What every segment begins with: magic, layout version, and a hash of the layout.
//
// The hash covers the sizes and offsets of all shared structs, so that two builds which disagree
// about one of them refuse each other even where someone forgot to raise the version.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sessionblocks::layout {

inline constexpr std::uint16_t kLayoutMajor = 1;
inline constexpr std::uint16_t kLayoutMinor = 0;

enum class Magic : std::uint64_t {
  control = 0x314c5254'43534253,  // "SBSCTRL1" as little-endian bytes
  worker = 0x314b5257'57534253,   // "SBSWWRK1"
  block = 0x314b4c42'42534253,    // "SBSBBLK1"
  readers = 0x31534452'52534253,  // "SBSRRDS1"
};

//  0        8        10       12    16       24          32
//  | magic  | major  | minor  | pad | hash   | bytes     |
struct Identity {
  std::uint64_t magic;
  std::uint16_t major;
  std::uint16_t minor;
  std::uint32_t zero;
  std::uint64_t layout_hash;
  std::uint64_t segment_bytes;  // as formatted; control has the authority
};
static_assert(sizeof(Identity) == 32);

inline constexpr std::size_t kLine = 64;  // bytes of a cache line on every x86-64

}  // namespace sessionblocks::layout
