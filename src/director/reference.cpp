#include "director/reference.hpp"

#include <sodium.h>

#include <cstring>
#include <span>

namespace sessionblocks::director {
namespace {

using sessionblocks::Rights;

constexpr std::uint8_t kVersion = 1;
constexpr int kBase64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
constexpr std::string_view kPurpose = "references of blocks, version 1";

// As it is signed. Little-endian, as all of this system's bytes are.
struct Packed {
  std::uint8_t version;
  std::uint8_t rights;
  std::uint8_t is_single_use;
  std::uint8_t zero;
  std::uint32_t block;
  std::uint32_t generation;
  std::uint32_t issuer;
  std::uint32_t audience;
  std::uint32_t ends_at_ms[2];
  std::uint32_t nonce[2];
};
struct Signed {
  Packed packed;
  std::array<std::uint8_t, 24> hash;
};
// A multiple of three: base64 has no spare bits, in which two texts of one reference could differ.
static_assert(sizeof(Packed) == 36 && sizeof(Signed) == 60);

void split(std::uint64_t number, std::uint32_t (&halves)[2]) {
  std::memcpy(halves, &number, sizeof number);
}

std::uint64_t join(const std::uint32_t (&halves)[2]) {
  std::uint64_t number = 0;
  std::memcpy(&number, halves, sizeof number);
  return number;
}

Packed pack(const Reference& reference) {
  Packed packed{};
  packed.version = kVersion;
  packed.rights = static_cast<std::uint8_t>(reference.rights);
  packed.is_single_use = reference.is_single_use ? 1 : 0;
  packed.block = raw(reference.block);
  packed.generation = raw(reference.generation);
  packed.issuer = raw(reference.issuer);
  packed.audience = raw(reference.audience);
  split(reference.ends_at_ms, packed.ends_at_ms);
  split(reference.nonce, packed.nonce);
  return packed;
}

Reference unpack(const Packed& packed) {
  return {.block = static_cast<BlockId>(packed.block),
          .generation = static_cast<Generation>(packed.generation),
          .issuer = static_cast<ScopeId>(packed.issuer),
          .audience = static_cast<ScopeId>(packed.audience),
          .rights = static_cast<Rights>(packed.rights),
          .is_single_use = packed.is_single_use != 0,
          .ends_at_ms = join(packed.ends_at_ms),
          .nonce = join(packed.nonce)};
}

std::array<std::uint8_t, 24> hash_of(const Packed& packed, std::span<const std::uint8_t> key) {
  std::array<std::uint8_t, 24> hash{};
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(&packed),
                     sizeof packed, key.data(), key.size());
  return hash;
}

}  // namespace

std::string reference_name(const Reference& reference) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string name = "reference ";
  for (int shift = 60; shift >= 0; shift -= 4) {
    name += kDigits[(reference.nonce >> static_cast<unsigned>(shift)) & 15U];
  }
  return name;
}

ReferenceKey::ReferenceKey(const OperatorKey& key, const SystemInstance& instance)
    : bytes_(key.derived(kPurpose, instance)) {}

std::string ReferenceKey::text_of(const Reference& reference) const {
  Signed whole{pack(reference), {}};
  whole.hash = hash_of(whole.packed, bytes_);
  std::array<char, sodium_base64_ENCODED_LEN(sizeof(Signed), kBase64)> text{};
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(&whole),
                    sizeof whole, kBase64);
  return std::string(kReferencePrefix) + text.data();
}

Result<Reference> ReferenceKey::read(std::string_view text) const {
  const auto forged = [] {
    return fail(Errc::reference_forged, "this system did not make the reference as it stands here");
  };
  if (!text.starts_with(kReferencePrefix)) return forged();
  text.remove_prefix(kReferencePrefix.size());
  Signed whole{};
  std::size_t length = 0;
  const int decoded =
      sodium_base642bin(reinterpret_cast<unsigned char*>(&whole), sizeof whole, text.data(),
                        text.size(), nullptr, &length, nullptr, kBase64);
  if (decoded != 0 || length != sizeof whole) return forged();
  const auto expected = hash_of(whole.packed, bytes_);
  if (sodium_memcmp(expected.data(), whole.hash.data(), expected.size()) != 0) return forged();
  // Of this system, and of another version of it.
  if (whole.packed.version != kVersion) return forged();
  // The decoder takes some other bytes for letters, too: one text a reference.
  const Reference reference = unpack(whole.packed);
  if (!text_of(reference).ends_with(text)) return forged();
  return reference;
}

}  // namespace sessionblocks::director
