#include "director/sensitive_keys.hpp"

#include <sodium.h>

#include <algorithm>

#include "director/suite_words.hpp"
#include "layout/node.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::string_view kPurpose = "sensitive keys";
constexpr std::size_t kShownBytes = 8;

}  // namespace

MaskKey mask_key_of(const OperatorKey& key) {
  return key.derived(kPurpose, {});
}

MaskKey random_mask_key() {
  MaskKey key{};
  randombytes_buf(key.data(), key.size());
  return key;
}

bool KeyMask::covers(std::string_view key) const noexcept {
  return std::any_of(patterns_.begin(), patterns_.end(),
                     [key](const std::string& pattern) { return matches_pattern(pattern, key); });
}

std::string KeyMask::shown(std::string_view key) const {
  if (!covers(key)) return std::string(key);
  std::array<unsigned char, crypto_generichash_BYTES_MIN> hash{};
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(key.data()),
                     key.size(), key_.data(), key_.size());
  std::array<char, 2 * kShownBytes + 1> digits{};
  sodium_bin2hex(digits.data(), digits.size(), hash.data(), kShownBytes);
  return std::string(kMaskedPrefix) + digits.data();
}

SharedMask make_mask(const SensitivePatterns& patterns, const MaskKey& key) {
  return patterns.empty() ? nullptr : std::make_shared<const KeyMask>(patterns, key);
}

Result<void> check_patterns(const SensitivePatterns& patterns) {
  if (patterns.size() > kMostSensitivePatterns) {
    return fail(Errc::invalid_argument,
                "sensitive: " + std::to_string(patterns.size()) + " patterns; at most " +
                    std::to_string(kMostSensitivePatterns) + ", or \"*\" for every key");
  }
  for (const std::string& pattern : patterns) {
    if (!pattern.empty() && pattern.size() <= layout::kMaxKeyBytes) continue;
    return fail(Errc::invalid_argument, "sensitive pattern " + quote(pattern) + ": 1 to " +
                                            std::to_string(layout::kMaxKeyBytes) + " bytes");
  }
  return {};
}

bool add_patterns(SensitivePatterns& to, const SensitivePatterns& more) {
  const std::size_t before = to.size();
  for (const std::string& pattern : more) {
    if (std::find(to.begin(), to.end(), pattern) == to.end()) to.push_back(pattern);
  }
  return to.size() != before;
}

}  // namespace sessionblocks::director
