#include "director/suite_words.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace sessionblocks::director {
namespace {

constexpr std::array kKinds = {
    Word<BlockKind>{"private", BlockKind::private_to_scope},
    Word<BlockKind>{"shared", BlockKind::shared},
    Word<BlockKind>{"inherited", BlockKind::inherited},
    Word<BlockKind>{"forked", BlockKind::forked},
};
constexpr std::array kRights = {
    Word<Rights>{"r", Rights::read},
    Word<Rights>{"rw", Rights::read_write},
};
constexpr std::array kAuditLevels = {
    Word<AuditLevel>{"full", AuditLevel::full},
    Word<AuditLevel>{"writes", AuditLevel::writes},
    Word<AuditLevel>{"counted", AuditLevel::counted},
};
constexpr std::array kOnFullRing = {
    Word<OnFullRing>{"wait", OnFullRing::wait},
    Word<OnFullRing>{"fail", OnFullRing::fail},
    Word<OnFullRing>{"count", OnFullRing::count},
};
constexpr std::array kEnforce = {
    Word<Enforce>{"cooperative", Enforce::cooperative},
    Word<Enforce>{"swap", Enforce::swap},
    Word<Enforce>{"kill", Enforce::kill},
};
constexpr std::array kAtStart = {
    Word<AtStart>{"empty", AtStart::empty},
    Word<AtStart>{"load", AtStart::load},
};
constexpr std::array kAtEnd = {
    Word<AtEnd>{"destroy", AtEnd::destroy},   Word<AtEnd>{"heir", AtEnd::heir},
    Word<AtEnd>{"snapshot", AtEnd::snapshot}, Word<AtEnd>{"elevate", AtEnd::elevate},
    Word<AtEnd>{"join", AtEnd::join},
};
using sessionblocks::JoinPolicy;
constexpr std::array kJoinPolicy = {
    Word<JoinPolicy>{"refuse", JoinPolicy::refuse}, Word<JoinPolicy>{"ours", JoinPolicy::ours},
    Word<JoinPolicy>{"theirs", JoinPolicy::theirs}, Word<JoinPolicy>{"add", JoinPolicy::add},
    Word<JoinPolicy>{"max", JoinPolicy::max},       Word<JoinPolicy>{"newest", JoinPolicy::newest},
};
constexpr std::array kAtLimit = {
    Word<AtLimit>{"refuse", AtLimit::refuse},
    Word<AtLimit>{"evict-expired", AtLimit::evict_expired},
    Word<AtLimit>{"evict-lru", AtLimit::evict_lru},
};
constexpr std::array kStartWhen = {
    Word<StartWhen>{"with-suite", StartWhen::with_suite},
    Word<StartWhen>{"on-request", StartWhen::on_request},
};
constexpr std::array kRestartPolicies = {
    Word<RestartPolicy>{"never", RestartPolicy::never},
    Word<RestartPolicy>{"on-failure", RestartPolicy::on_failure},
    Word<RestartPolicy>{"always", RestartPolicy::always},
};
constexpr std::array kShmAccess = {
    Word<ShmAccess>{"auto", ShmAccess::automatic},
    Word<ShmAccess>{"private", ShmAccess::private_mount},
    Word<ShmAccess>{"deny", ShmAccess::deny},
};
constexpr std::array kGuardActions = {
    Word<GuardAction>{"log", GuardAction::log},
    Word<GuardAction>{"deny", GuardAction::deny},
    Word<GuardAction>{"seal", GuardAction::seal},
    Word<GuardAction>{"quarantine", GuardAction::quarantine},
    Word<GuardAction>{"kill", GuardAction::kill},
    Word<GuardAction>{"end-scope", GuardAction::end_scope},
};

// Locale-free, unlike <cctype>.
constexpr bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr bool is_name_char(char c) noexcept {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

constexpr std::size_t kMaxQuotedBytes = 64;

// Edit distance with swaps of neighbours, the commonest slip; both texts are short (see
// suggestion).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(above);
    above.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U);
      row[j] = std::min({replaced, above[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

template <>
std::span<const Word<BlockKind>> words() noexcept {
  return kKinds;
}
template <>
std::span<const Word<Rights>> words() noexcept {
  return kRights;
}
template <>
std::span<const Word<AuditLevel>> words() noexcept {
  return kAuditLevels;
}
template <>
std::span<const Word<OnFullRing>> words() noexcept {
  return kOnFullRing;
}
template <>
std::span<const Word<Enforce>> words() noexcept {
  return kEnforce;
}
template <>
std::span<const Word<AtStart>> words() noexcept {
  return kAtStart;
}
template <>
std::span<const Word<AtEnd>> words() noexcept {
  return kAtEnd;
}
template <>
std::span<const Word<JoinPolicy>> words() noexcept {
  return kJoinPolicy;
}
template <>
std::span<const Word<AtLimit>> words() noexcept {
  return kAtLimit;
}
template <>
std::span<const Word<StartWhen>> words() noexcept {
  return kStartWhen;
}
template <>
std::span<const Word<RestartPolicy>> words() noexcept {
  return kRestartPolicies;
}
template <>
std::span<const Word<ShmAccess>> words() noexcept {
  return kShmAccess;
}
template <>
std::span<const Word<GuardAction>> words() noexcept {
  return kGuardActions;
}

bool is_name(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kMaxNameBytes && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(), is_name_char);
}

bool is_name_pattern(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         (is_letter(text.front()) || text.front() == '*') &&
         std::all_of(text.begin(), text.end(), [](char c) { return c == '*' || is_name_char(c); });
}

bool matches_pattern(std::string_view pattern, std::string_view text) noexcept {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;  // the last '*', and where its run ended so far
  std::size_t run_end = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      run_end = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++run_end;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::optional<ScopeRef> parse_scope_ref(std::string_view text) {
  if (text == "suite") return ScopeRef{};
  if (text == "worker") return ScopeRef{ScopeKind::worker, {}};
  constexpr std::string_view kScript = "script.";
  constexpr std::string_view kFlow = "flow.";
  if (text.starts_with(kScript)) {
    return ScopeRef{ScopeKind::script, std::string(text.substr(kScript.size()))};
  }
  if (text.starts_with(kFlow)) {
    return ScopeRef{ScopeKind::flow, std::string(text.substr(kFlow.size()))};
  }
  return std::nullopt;
}

std::string format_scope_ref(const ScopeRef& scope) {
  switch (scope.kind) {
    case ScopeKind::suite:
      return "suite";
    case ScopeKind::worker:
      return "worker";
    case ScopeKind::script:
      return "script." + scope.name;
    case ScopeKind::flow:
      return "flow." + scope.name;
  }
  return "?";
}

std::string quote(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "'";
  for (const char c : text.substr(0, kMaxQuotedBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += {'\\', 'x', kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  if (text.size() > kMaxQuotedBytes) out += "...";
  return out + "'";
}

std::string suggestion(std::string_view text, std::span<const std::string_view> candidates) {
  if (text.size() > kMaxNameBytes) return {};
  // One slip in a short word, two in a longer one: more would suggest words of another meaning.
  std::size_t best = text.size() < 5 ? 2 : 3;
  std::string_view nearest;
  for (const std::string_view candidate : candidates) {
    const std::size_t longer = std::max(text.size(), candidate.size());
    if (longer - std::min(text.size(), candidate.size()) >= best) continue;
    const std::size_t found = distance(text, candidate);
    if (found < best && found < candidate.size()) {
      best = found;
      nearest = candidate;
    }
  }
  return nearest.empty() ? std::string{} : "; did you mean '" + std::string(nearest) + "'?";
}

std::string list_of(std::span<const std::string_view> candidates) {
  std::string out;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (i != 0) out += i + 1 == candidates.size() ? " or " : ", ";
    out += '"' + std::string(candidates[i]) + '"';
  }
  return out;
}

}  // namespace sessionblocks::director
