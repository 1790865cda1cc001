#include "snapshot/frame.hpp"

#include <sodium.h>

namespace sessionblocks::snapshot {
namespace {

Digest checksum_of(const FrameHeader& header, std::span<const std::byte> payload) noexcept {
  // libsodium picks its fastest code here, once; without it the slow one gives the same bytes.
  [[maybe_unused]] static const int initialised = sodium_init();
  crypto_generichash_state state;
  Digest checksum{};
  crypto_generichash_init(&state, nullptr, 0, checksum.size());
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(&header),
                            offsetof(FrameHeader, checksum));
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(payload.data()),
                            payload.size());
  crypto_generichash_final(&state, checksum.data(), checksum.size());
  return checksum;
}

}  // namespace

Digest digest_of(std::span<const std::byte> bytes) noexcept {
  Digest digest{};
  crypto_generichash(digest.data(), digest.size(),
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), nullptr,
                     0);
  return digest;
}

void append_frame(ByteBuffer& out, FrameHeader header, std::span<const std::byte> payload) {
  header.payload_bytes = static_cast<std::uint32_t>(payload.size());
  header.checksum = checksum_of(header, payload);
  out.put_bytes(std::as_bytes(std::span(&header, 1)));
  out.put_bytes(payload);
}

bool is_frame(const FrameHeader& header) noexcept {
  return header.magic == kFrameMagic && header.payload_bytes <= kMaxPayloadBytes;
}

bool checksum_holds(const FrameHeader& header, std::span<const std::byte> payload) noexcept {
  return checksum_of(header, payload) == header.checksum;
}

}  // namespace sessionblocks::snapshot
