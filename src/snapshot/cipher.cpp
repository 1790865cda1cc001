#include "snapshot/cipher.hpp"

#include <sodium.h>
#include <zstd.h>

namespace sessionblocks::snapshot {
namespace {

constexpr int kLevel = 3;  // zstd's own default
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
static_assert(std::tuple_size_v<FileId> + 8 == kNonceBytes);
static_assert(std::tuple_size_v<Key::Bytes> == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

struct Bound {
  std::array<unsigned char, kNonceBytes> nonce{};
  std::array<unsigned char, offsetof(FrameHeader, checksum) + sizeof(Digest)> data{};

  Bound(const FrameHeader& header, const Digest& description) noexcept {
    const std::uint64_t number = header.number;
    std::memcpy(nonce.data(), header.file.data(), header.file.size());
    std::memcpy(nonce.data() + header.file.size(), &number, sizeof number);
    std::memcpy(data.data(), &header, offsetof(FrameHeader, checksum));
    std::memcpy(data.data() + offsetof(FrameHeader, checksum), description.data(),
                description.size());
  }
};

unsigned char* raw_bytes(std::vector<std::byte>& bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

}  // namespace

Result<std::vector<std::byte>> seal(const Key& key, FrameHeader& header, const Digest& description,
                                    std::span<const std::byte> plain) {
  if (plain.size() > kMaxPlainBytes) {
    return fail(Errc::value_too_large, "snapshot: entries of more than 1 GiB");
  }
  std::vector<std::byte> payload(ZSTD_compressBound(plain.size()) + kTagBytes);
  const std::size_t packed =
      ZSTD_compress(payload.data(), payload.size() - kTagBytes, plain.data(), plain.size(), kLevel);
  if (ZSTD_isError(packed) != 0) {
    return fail(Errc::out_of_memory, std::string("snapshot: ") + ZSTD_getErrorName(packed));
  }
  payload.resize(packed + kTagBytes);
  header.plain_bytes = static_cast<std::uint32_t>(plain.size());
  header.payload_bytes = static_cast<std::uint32_t>(payload.size());
  const Bound bound(header, description);
  unsigned char* const bytes = raw_bytes(payload);
  crypto_aead_xchacha20poly1305_ietf_encrypt(bytes, nullptr, bytes, packed, bound.data.data(),
                                             bound.data.size(), nullptr, bound.nonce.data(),
                                             key.bytes.data());
  return payload;
}

Result<std::vector<std::byte>> unseal(const Key& key, const FrameHeader& header,
                                      const Digest& description,
                                      std::span<const std::byte> payload) {
  const auto altered = [] {
    return fail(Errc::corrupt, "snapshot: a frame that its block's key does not open");
  };
  if (payload.size() < kTagBytes || header.plain_bytes > kMaxPlainBytes) return altered();
  std::vector<std::byte> packed(payload.size() - kTagBytes);
  const Bound bound(header, description);
  const int opened = crypto_aead_xchacha20poly1305_ietf_decrypt(
      raw_bytes(packed), nullptr, nullptr, reinterpret_cast<const unsigned char*>(payload.data()),
      payload.size(), bound.data.data(), bound.data.size(), bound.nonce.data(), key.bytes.data());
  if (opened != 0) return altered();
  std::vector<std::byte> plain(header.plain_bytes);
  const std::size_t bytes =
      ZSTD_decompress(plain.data(), plain.size(), packed.data(), packed.size());
  if (ZSTD_isError(bytes) != 0 || bytes != plain.size()) return altered();
  return plain;
}

}  // namespace sessionblocks::snapshot
