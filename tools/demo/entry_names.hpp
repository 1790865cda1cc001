// The keys of the blocks, in one place for those who write them and those who add them up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace demo {

inline constexpr std::string_view kVisitorPrefix = "visitor:";      // visitor:ADDRESS
inline constexpr std::string_view kPagePrefix = "page:";            // page:PARTITION:NAME
inline constexpr std::string_view kLongPagePrefix = "long-page:";   // the name is in the value
inline constexpr std::string_view kMalformedPrefix = "malformed:";  // malformed:PARTITION
inline constexpr std::string_view kPartitionPrefix = "partition:";  // who works on a partition

// Values of partition:N.
inline constexpr std::string_view kFree = "free";
inline constexpr std::string_view kDone = "done";
[[nodiscard]] inline std::string claimed_by(std::string_view scope) {
  return "claimed by " + std::string(scope);
}

[[nodiscard]] inline std::string numbered(std::string_view prefix, std::size_t partition) {
  return std::string(prefix) + std::to_string(partition);
}

// FNV-1a: the same in every process, which is all that a partition needs of a hash.
[[nodiscard]] constexpr std::uint64_t stable_hash(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  }
  return hash;
}

}  // namespace demo
