// The words of DESIGN section 2 as enums: one spelling in code, layout, messages and commands.
// Values are stored in shared memory and in logs: explicit, append-only, zero means untouched.
#pragma once

#include <cstdint>
#include <string_view>

namespace sessionblocks {

enum class BlockState : std::uint8_t {
  active = 1,
  sealed = 2,
  quarantined = 3,
  wiped = 4,
  destroyed = 5,
  moving = 6,  // for a moment: its next generation takes over, and writers wait for it
};

enum class BlockKind : std::uint8_t { private_ = 1, shared = 2, inherited = 3, forked = 4 };
enum class AuditLevel : std::uint8_t { full = 1, writes = 2, counted = 3 };
enum class FullRing : std::uint8_t { wait = 1, fail = 2, count = 3 };
enum class Enforce : std::uint8_t { cooperative = 1, swap = 2, kill = 3 };
// What becomes of a block when its scope, its lifespan or its idle time has ended.
enum class AtEnd : std::uint8_t { destroy = 1, heir = 2, snapshot = 3, elevate = 4, join = 5 };
// What a write does in a block that is full.
enum class AtLimit : std::uint8_t { refuse = 1, evict_expired = 2, evict_lru = 3 };
// What a join does with a key that both sides changed.
enum class JoinPolicy : std::uint8_t {
  refuse = 1,
  ours = 2,    // the origin's
  theirs = 3,  // the fork's
  add = 4,
  max = 5,
  newest = 6,
};
enum class ScopeKind : std::uint8_t { suite = 1, script = 2, worker = 3, flow = 4 };
enum class Rights : std::uint8_t { none = 0, read = 1, read_write = 2 };

// What an operation was, as intents, audit records and logs name it.
enum class Op : std::uint8_t {
  define_key = 1,  // audit only: the bytes behind a key id
  get = 2,
  contains = 3,
  visit = 4,
  put = 5,
  add = 6,
  replace = 7,
  compare_and_set = 8,
  increment = 9,
  append = 10,
  erase = 11,
  touch = 12,
  get_and_erase = 13,
  for_each = 14,
  drop = 15,   // a migration that dropped a tombstone
  evict = 16,  // a write that found no room took it out
};

[[nodiscard]] std::string_view word(BlockState state) noexcept;
[[nodiscard]] std::string_view word(BlockKind kind) noexcept;
[[nodiscard]] std::string_view word(AuditLevel level) noexcept;
[[nodiscard]] std::string_view word(FullRing policy) noexcept;
[[nodiscard]] std::string_view word(Enforce enforce) noexcept;
[[nodiscard]] std::string_view word(AtEnd at_end) noexcept;
[[nodiscard]] std::string_view word(AtLimit policy) noexcept;
[[nodiscard]] std::string_view word(JoinPolicy policy) noexcept;
[[nodiscard]] std::string_view word(ScopeKind kind) noexcept;
[[nodiscard]] std::string_view word(Rights rights) noexcept;
[[nodiscard]] std::string_view word(Op op) noexcept;

}  // namespace sessionblocks
