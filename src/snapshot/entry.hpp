// An entry in a file: as a block held it at one instant, with an expiry that means the same on
// another day and after another boot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <sessionblocks/error.hpp>
#include <sessionblocks/key.hpp>
#include <sessionblocks/value.hpp>
#include <span>

namespace sessionblocks::snapshot {

struct FileEntry {
  std::span<const std::byte> key;
  Type type{};
  std::span<const std::byte> value;  // as get_into gives it
  std::uint64_t version = 0;
  std::uint64_t expires_unix_ms = 0;  // 0: never
};

// Whether an entry can be like this: what it says of itself may have been scribbled over.
[[nodiscard]] inline bool is_sound(const FileEntry& entry) noexcept {
  if (entry.key.empty() || entry.key.size() > kMaxKeyBytes) return false;
  switch (entry.type) {
    case Type::bytes:
    case Type::text:
      return true;
    case Type::integer:
    case Type::real:
      return entry.value.size() == 8;
    case Type::boolean:
      return entry.value.size() == 1;
  }
  return false;
}

// The views end with the call; an error ends the walk and is what the walk returns.
using TakeFileEntry = std::function<Result<void>(const FileEntry&)>;

}  // namespace sessionblocks::snapshot
