#include "director/operator_key.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>

#include "platform/os_error.hpp"
#include "platform/random.hpp"
#include "platform/unique_fd.hpp"

namespace sessionblocks::director {
namespace {

using platform::fail_errno;
using platform::UniqueFd;

constexpr std::size_t kMacBytes = 16;

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

std::string subject_text(TokenSubject subject) {
  return std::to_string(raw(subject.scope)) + "." + std::to_string(raw(subject.worker));
}

Result<void> write_new(const std::filesystem::path& path, std::span<const std::uint8_t> bytes) {
  const std::string beside = path.native() + ".new";
  ::unlink(beside.c_str());
  const UniqueFd fd(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("make", beside);
  if (::write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return fail_errno("write", beside);
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) return fail_errno("make", path.native());
  return {};
}

}  // namespace

Result<OperatorKey> OperatorKey::load_or_create(const std::filesystem::path& path) {
  OperatorKey key;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno != ENOENT) return fail_errno("open", path.native());
  if (fd) {
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return fail_errno("look at", path.native());
    if (status.st_uid != ::geteuid() || (status.st_mode & 0077) != 0) {
      return fail(Errc::denied, path.native() + ": must be this user's alone, mode 0600");
    }
    const ssize_t length = ::read(fd.get(), key.bytes_.data(), key.bytes_.size());
    if (length == static_cast<ssize_t>(key.bytes_.size())) return key;
  }
  const auto random = platform::random_bytes(std::as_writable_bytes(std::span(key.bytes_)));
  if (!random) return tl::unexpected(random.error());
  if (auto written = write_new(path, key.bytes_); !written) return tl::unexpected(written.error());
  return key;
}

std::optional<OperatorKey> OperatorKey::of(std::span<const std::uint8_t> bytes) {
  OperatorKey key;
  if (bytes.size() != key.bytes_.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), key.bytes_.begin());
  return key;
}

bool OperatorKey::equals(std::span<const std::uint8_t> bytes) const noexcept {
  return bytes.size() == bytes_.size() &&
         sodium_memcmp(bytes.data(), bytes_.data(), bytes_.size()) == 0;
}

std::string OperatorKey::token_for(TokenSubject subject) const {
  const std::string text = subject_text(subject);
  std::array<std::uint8_t, kMacBytes> mac{};
  crypto_generichash(mac.data(), mac.size(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size(), bytes_.data(), bytes_.size());
  return text + "." + hex(mac);
}

std::array<std::uint8_t, kOperatorKeyBytes> OperatorKey::derived(
    std::string_view purpose, std::span<const std::byte> of) const {
  std::array<std::uint8_t, kOperatorKeyBytes> key{};
  crypto_generichash_state state;
  crypto_generichash_init(&state, bytes_.data(), bytes_.size(), key.size());
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(purpose.data()),
                            purpose.size());
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(of.data()), of.size());
  crypto_generichash_final(&state, key.data(), key.size());
  return key;
}

std::optional<TokenSubject> OperatorKey::subject_of(std::string_view token) const {
  TokenSubject subject;
  std::uint32_t numbers[2] = {};
  const char* at = token.data();
  const char* const end = at + token.size();
  for (std::uint32_t& number : numbers) {
    const auto parsed = std::from_chars(at, end, number);
    if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '.') return std::nullopt;
    at = parsed.ptr + 1;
  }
  subject.scope = static_cast<ScopeId>(numbers[0]);
  subject.worker = static_cast<WorkerId>(numbers[1]);
  const std::string expected = token_for(subject);
  const bool same = expected.size() == token.size() &&
                    sodium_memcmp(expected.data(), token.data(), token.size()) == 0;
  return same ? std::optional(subject) : std::nullopt;
}

}  // namespace sessionblocks::director
