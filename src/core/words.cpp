#include "core/words.hpp"

#include <array>

namespace sessionblocks {
namespace {

template <typename Enum, std::size_t N>
std::string_view pick(Enum value, const std::array<std::string_view, N>& names) noexcept {
  const auto index = static_cast<std::size_t>(value);
  return index < N ? names[index] : std::string_view("unknown");
}

using Names = std::string_view;

}  // namespace

std::string_view word(BlockState state) noexcept {
  return pick(state, std::array<Names, 7>{"untouched", "active", "sealed", "quarantined", "wiped",
                                          "destroyed", "moving"});
}
std::string_view word(BlockKind kind) noexcept {
  return pick(kind, std::array<Names, 5>{"untouched", "private", "shared", "inherited", "forked"});
}
std::string_view word(AuditLevel level) noexcept {
  return pick(level, std::array<Names, 4>{"untouched", "full", "writes", "counted"});
}
std::string_view word(FullRing policy) noexcept {
  return pick(policy, std::array<Names, 4>{"untouched", "wait", "fail", "count"});
}
std::string_view word(Enforce enforce) noexcept {
  return pick(enforce, std::array<Names, 4>{"untouched", "cooperative", "swap", "kill"});
}
std::string_view word(AtEnd at_end) noexcept {
  return pick(at_end,
              std::array<Names, 6>{"untouched", "destroy", "heir", "snapshot", "elevate", "join"});
}
std::string_view word(AtLimit policy) noexcept {
  return pick(policy, std::array<Names, 4>{"untouched", "refuse", "evict-expired", "evict-lru"});
}
std::string_view word(JoinPolicy policy) noexcept {
  return pick(policy, std::array<Names, 7>{"untouched", "refuse", "ours", "theirs", "add", "max",
                                           "newest"});
}
std::string_view word(ScopeKind kind) noexcept {
  return pick(kind, std::array<Names, 5>{"untouched", "suite", "script", "worker", "flow"});
}
std::string_view word(Rights rights) noexcept {
  return pick(rights, std::array<Names, 3>{"none", "r", "rw"});
}
std::string_view word(Op op) noexcept {
  return pick(
      op, std::array<Names, 17>{"untouched", "define_key", "get", "contains", "visit", "put", "add",
                                "replace", "compare_and_set", "increment", "append", "erase",
                                "touch", "get_and_erase", "for_each", "drop", "evict"});
}

}  // namespace sessionblocks
