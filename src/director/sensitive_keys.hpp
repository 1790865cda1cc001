// Which keys of a block are sensitive, and what is shown in place of one.
//
// A key that one of the patterns matches is shown as "sensitive:" and 16 hex digits of a keyed hash
// (BLAKE2b) of its bytes, and of its value only the size. The hash's key belongs to the session
// system: equal keys are shown as equal there, in every block and over restarts of the director,
// and who has only what was shown cannot try out what it may stand for.
//
// What it does not do: keep anybody from reading an entry; that is what grants are for.
// Any thread may use a mask; it never changes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.hpp"
#include "director/operator_key.hpp"

namespace sessionblocks::director {

using SensitivePatterns = std::vector<std::string>;  // over keys: suite_words.hpp, matches_pattern

// More than that of one block, or one that a row of control has no room for: every key is.
inline constexpr std::size_t kMostSensitivePatterns = 64;
inline constexpr std::string_view kEveryKey = "*";
inline constexpr std::string_view kMaskedPrefix = "sensitive:";

using MaskKey = std::array<std::uint8_t, kOperatorKeyBytes>;
// That of the system whose operators have this key; workers cannot read it.
[[nodiscard]] MaskKey mask_key_of(const OperatorKey& key);
// For who cannot know the system's: equal keys look equal as long as this one is used.
[[nodiscard]] MaskKey random_mask_key();

class KeyMask {
 public:
  KeyMask(SensitivePatterns patterns, const MaskKey& key)
      : patterns_(std::move(patterns)), key_(key) {}

  [[nodiscard]] bool covers(std::string_view key) const noexcept;
  // What is shown: the key itself unless it is covered.
  [[nodiscard]] std::string shown(std::string_view key) const;
  [[nodiscard]] const SensitivePatterns& patterns() const noexcept { return patterns_; }

 private:
  SensitivePatterns patterns_;
  MaskKey key_;
};

// Null: nothing is sensitive.
using SharedMask = std::shared_ptr<const KeyMask>;
[[nodiscard]] SharedMask make_mask(const SensitivePatterns& patterns, const MaskKey& key);

// invalid_argument: one is empty or longer than a key; more than kMostSensitivePatterns.
[[nodiscard]] Result<void> check_patterns(const SensitivePatterns& patterns);
// Adds what is not there yet. Whether anything was.
bool add_patterns(SensitivePatterns& to, const SensitivePatterns& more);

}  // namespace sessionblocks::director
