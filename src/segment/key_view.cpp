#include "segment/key_view.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sessionblocks::segment {

std::uint64_t hash_key(const std::byte* data, std::size_t size, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(data, size, seed);
}

KeyPrint print_of(std::span<const std::byte> key, std::uint64_t seed) noexcept {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(key.data(), key.size(), seed);
  return {hash.high64, hash.low64};
}

}  // namespace sessionblocks::segment
