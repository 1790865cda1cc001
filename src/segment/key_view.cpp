#include "segment/key_view.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sessionblocks::segment {

std::uint64_t hash_key(const std::byte* data, std::size_t size, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(data, size, seed);
}

}  // namespace sessionblocks::segment
