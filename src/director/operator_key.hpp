// The secret of a session system: who can read its file is an operator, and launch tokens are
// made from it.
//
// A token says "scope S, worker W" with a keyed hash (BLAKE2b) over both, so nothing has to be
// remembered: it counts as long as that worker and scope live, also for a director that adopted
// the system. Control, which every worker can read, holds no part of it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>
#include <string_view>

#include "core/ids.hpp"

namespace sessionblocks::director {

inline constexpr std::size_t kOperatorKeyBytes = 32;

// What a token was made for. Worker 0: no worker's child, the token lives as long as the scope.
struct TokenSubject {
  ScopeId scope{};
  WorkerId worker{};
  friend bool operator==(TokenSubject, TokenSubject) = default;
};

class OperatorKey {
 public:
  // The key in the file, or a new one in a new file (0600, whole from the start: written beside it
  // and renamed). denied: the file is another user's or others may read it.
  [[nodiscard]] static Result<OperatorKey> load_or_create(const std::filesystem::path& path);

  // None: they are not as many as a key has.
  [[nodiscard]] static std::optional<OperatorKey> of(std::span<const std::uint8_t> bytes);
  // In constant time.
  [[nodiscard]] bool equals(std::span<const std::uint8_t> bytes) const noexcept;

  [[nodiscard]] std::string token_for(TokenSubject subject) const;
  // Whom a token was made for; nothing when this key did not make it.
  [[nodiscard]] std::optional<TokenSubject> subject_of(std::string_view token) const;
  // A key of its own for another purpose: whoever learns that one learns nothing of this.
  [[nodiscard]] std::array<std::uint8_t, kOperatorKeyBytes> derived(
      std::string_view purpose, std::span<const std::byte> of) const;

 private:
  std::array<std::uint8_t, kOperatorKeyBytes> bytes_{};
};

}  // namespace sessionblocks::director
