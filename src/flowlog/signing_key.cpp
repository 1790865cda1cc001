#include "flowlog/signing_key.hpp"

#include <sodium.h>

#include <algorithm>
#include <optional>

#include "core/crash_point.hpp"
#include "platform/disk_file.hpp"
#include "platform/random.hpp"

namespace sessionblocks::flowlog {

namespace {

using platform::DiskFile;

static_assert(crypto_sign_SECRETKEYBYTES == 64 && crypto_sign_PUBLICKEYBYTES == 32 &&
              crypto_sign_BYTES == 64 && crypto_sign_SEEDBYTES == 32);
constexpr std::string_view kAlgorithm = "ed25519 ";
constexpr std::size_t kLineBytes = kAlgorithm.size() + 2 * crypto_sign_PUBLICKEYBYTES;
constexpr std::uint64_t kMaxFileBytes = 1U << 20U;

const unsigned char* raw_bytes(std::span<const std::byte> bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Result<std::string> read_all(const DiskFile& file) {
  const auto bytes = file.size_bytes();
  if (!bytes) return tl::unexpected(bytes.error());
  std::string text(static_cast<std::size_t>(std::min(*bytes, kMaxFileBytes)), '\0');
  const auto read = file.read_at(0, std::as_writable_bytes(std::span(text)));
  if (!read) return tl::unexpected(read.error());
  text.resize(*read);
  return text;
}

std::optional<PublicKey> key_of(std::string_view line) {
  if (line.size() != kLineBytes || !line.starts_with(kAlgorithm)) return std::nullopt;
  PublicKey key{};
  std::size_t size = 0;
  const int failed = sodium_hex2bin(key.data(), key.size(), line.data() + kAlgorithm.size(),
                                    line.size() - kAlgorithm.size(), nullptr, &size, nullptr);
  if (failed != 0 || size != key.size()) return std::nullopt;
  return key;
}

}  // namespace

SigningKey::~SigningKey() {
  sodium_memzero(secret_.data(), secret_.size());
}

// The second half of the secret must be what its first half makes of it: a damaged file shows.
bool SigningKey::derive_public() noexcept {
  std::array<unsigned char, 64> derived{};
  crypto_sign_seed_keypair(public_.data(), derived.data(), secret_.data());
  const bool is_same = sodium_memcmp(derived.data(), secret_.data(), derived.size()) == 0;
  sodium_memzero(derived.data(), derived.size());
  return is_same;
}

Result<SigningKey> SigningKey::make(const std::string& file) {
  SigningKey key;
  std::array<unsigned char, crypto_sign_SEEDBYTES> seed{};
  if (auto drawn = platform::random_bytes(std::as_writable_bytes(std::span(seed))); !drawn) {
    return tl::unexpected(drawn.error());
  }
  crypto_sign_seed_keypair(key.public_.data(), key.secret_.data(), seed.data());
  sodium_memzero(seed.data(), seed.size());
  const std::string beside = file + ".new";
  (void)platform::remove_file(beside);  // a crash may have left one
  auto made = DiskFile::create(beside);
  if (!made) return tl::unexpected(made.error());
  auto kept = made->write_all(std::as_bytes(std::span(key.secret_)));
  if (kept) kept = made->sync();
  // CRASH(flowlog.key_made): a key without its name; the next start makes another.
  SESSIONBLOCKS_CRASH("flowlog.key_made");
  if (kept) kept = platform::name_file(beside, file);
  if (kept) kept = platform::sync_folder_of(file);
  if (kept) return key;
  (void)platform::remove_file(beside);
  return tl::unexpected(kept.error());
}

Result<SigningKey> SigningKey::open(const std::string& file) {
  [[maybe_unused]] static const int initialised = sodium_init();
  auto opened = DiskFile::open_write(file);
  if (!opened && opened.error() == Errc::not_found) return make(file);
  if (!opened) return tl::unexpected(opened.error());
  if (auto own = opened->require_private(file); !own) return tl::unexpected(own.error());
  SigningKey key;
  const auto bytes = opened->size_bytes();
  if (!bytes) return tl::unexpected(bytes.error());
  const auto read = opened->read_at(0, std::as_writable_bytes(std::span(key.secret_)));
  if (!read) return tl::unexpected(read.error());
  if (*bytes != key.secret_.size() || *read != key.secret_.size() || !key.derive_public()) {
    return fail(Errc::malformed, "log key " + file +
                                     ": damaged; put back a copy, or remove it: a new one is made, "
                                     "and what the old one signed stays proved by log.pub");
  }
  return key;
}

Signature SigningKey::sign(std::span<const std::byte> bytes) const noexcept {
  Signature signature{};
  crypto_sign_detached(signature.data(), nullptr, raw_bytes(bytes), bytes.size(), secret_.data());
  return signature;
}

bool holds(const Signature& signature, std::span<const std::byte> bytes,
           const PublicKey& key) noexcept {
  [[maybe_unused]] static const int initialised = sodium_init();
  return crypto_sign_verify_detached(signature.data(), raw_bytes(bytes), bytes.size(),
                                     key.data()) == 0;
}

std::string hex(const PublicKey& key) {
  std::string text(2 * key.size() + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), key.data(), key.size());
  text.pop_back();
  return text;
}

Result<std::vector<PublicKey>> read_public_keys(const std::string& file) {
  const auto opened = DiskFile::open_read(file);
  if (!opened) return tl::unexpected(opened.error());
  const auto text = read_all(*opened);
  if (!text) return tl::unexpected(text.error());
  std::vector<PublicKey> keys;
  for (std::string_view rest = *text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    const auto key = key_of(line);
    const bool is_cut_off = line.size() == rest.size();
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (key) keys.push_back(*key);
    if (!key && !is_cut_off) {
      return fail(Errc::malformed, file + ": not \"ed25519 \" and 64 hexadecimal digits a line");
    }
  }
  if (keys.empty()) return fail(Errc::malformed, file + ": no public key of a log in it");
  return keys;
}

Result<bool> publish(const std::string& file, const PublicKey& key) {
  auto opened = DiskFile::open_append(file);
  if (!opened && opened.error() == Errc::not_found) opened = DiskFile::create(file);
  if (!opened) return tl::unexpected(opened.error());
  const auto text = read_all(*opened);
  if (!text) return tl::unexpected(text.error());
  const std::string line = std::string(kAlgorithm) + hex(key) + "\n";
  if (("\n" + *text).find("\n" + line) != std::string::npos) return false;
  const std::size_t end = text->find_last_of('\n');
  const std::size_t whole = end == std::string::npos ? 0 : end + 1;
  if (whole != text->size()) {
    if (auto cut = opened->truncate(whole); !cut) return tl::unexpected(cut.error());
  }
  if (auto added = opened->write_all(std::as_bytes(std::span(line))); !added) {
    return tl::unexpected(added.error());
  }
  return whole != 0;
}

}  // namespace sessionblocks::flowlog
