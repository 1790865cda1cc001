// The words of a suite file: the spelling of each choice, the rule for names, patterns,
// suggestions.
//
// Used by whoever reads, checks or prints a suite. Pure functions, no errors besides their results.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/words.hpp"
#include "director/suite.hpp"

namespace sessionblocks::director {

template <typename Enum>
struct Word {
  std::string_view text;
  Enum value;
};

// Every spelling of a choice, in the order in which messages list them.
template <typename Enum>
[[nodiscard]] std::span<const Word<Enum>> words() noexcept;

template <>
std::span<const Word<BlockKind>> words() noexcept;
template <>
std::span<const Word<Rights>> words() noexcept;
template <>
std::span<const Word<AuditLevel>> words() noexcept;
template <>
std::span<const Word<OnFullRing>> words() noexcept;
template <>
std::span<const Word<Enforce>> words() noexcept;
template <>
std::span<const Word<AtStart>> words() noexcept;
template <>
std::span<const Word<AtEnd>> words() noexcept;
template <>
std::span<const Word<sessionblocks::JoinPolicy>> words() noexcept;
template <>
std::span<const Word<AtLimit>> words() noexcept;
template <>
std::span<const Word<StartWhen>> words() noexcept;
template <>
std::span<const Word<RestartPolicy>> words() noexcept;
template <>
std::span<const Word<ShmAccess>> words() noexcept;
template <>
std::span<const Word<GuardAction>> words() noexcept;

// The spelling of a value; "?" for one outside the enumeration.
template <typename Enum>
[[nodiscard]] std::string_view word(Enum value) noexcept {
  for (const auto& entry : words<Enum>()) {
    if (entry.value == value) return entry.text;
  }
  return "?";
}

template <typename Enum>
[[nodiscard]] std::optional<Enum> value_of(std::string_view text) noexcept {
  for (const auto& entry : words<Enum>()) {
    if (entry.text == text) return entry.value;
  }
  return std::nullopt;
}

template <typename Enum>
[[nodiscard]] std::vector<std::string_view> spellings() {
  std::vector<std::string_view> out;
  for (const auto& entry : words<Enum>()) out.push_back(entry.text);
  return out;
}

// Names of systems, suites, blocks, scripts, flows and guards become parts of segment names, socket
// paths and scope paths (`shop/checkout#2/charge`), so they hold none of their separators: 1 to 48
// of A-Z a-z 0-9 _ -, and a letter first.
inline constexpr std::size_t kMaxNameBytes = 48;
[[nodiscard]] bool is_name(std::string_view text) noexcept;
inline constexpr std::string_view kNameRule =
    "a name is a letter, then letters, digits, '_' or '-', at most 48 in all";

// A pattern over block names: the characters of a name, and '*' for any run of them.
[[nodiscard]] bool is_name_pattern(std::string_view text) noexcept;

// '*' stands for any run of bytes, also an empty one; every other byte for itself. Linear in
// pattern times text at worst, without recursion.
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view text) noexcept;

// "suite", "worker", "script.NAME", "flow.NAME". The name itself is not judged.
[[nodiscard]] std::optional<ScopeRef> parse_scope_ref(std::string_view text);
[[nodiscard]] std::string format_scope_ref(const ScopeRef& scope);

// In single quotes, control and non-ASCII bytes escaped, cut after 64 bytes: for messages.
[[nodiscard]] std::string quote(std::string_view text);

// "; did you mean 'quota'?" when a candidate is near enough, else empty.
[[nodiscard]] std::string suggestion(std::string_view text,
                                     std::span<const std::string_view> candidates);

// "a, b or c"
[[nodiscard]] std::string list_of(std::span<const std::string_view> candidates);

}  // namespace sessionblocks::director
