// A node: an immutable record that holds one version of one entry.
//
//   0      8       16      24        32       40          48      56     64
//   | gen  | cmark | shape | version | key id | expiry ms | stamp | hash | link? | key | value |
//
// link (16 bytes, {previous, its gen}) is there when shape says so: only nodes written while a
// checkpoint is held pay for it. key and value start at multiples of 8.
//
//   state of gen | meaning                                    | stored by
//   untouched    | the chunk was never used since its page was cut | who cut the page
//   in_use       | being built, in a slot, or on a chain      | the page's owner, intent armed
//   freed        | off its chain, perhaps not hinted          | winner of the removing CAS,
//   director collected    | in the owner's private lists               | owner only
#pragma once

#include "layout/identity.hpp"
#include "layout/pair.hpp"

namespace sessionblocks::layout {

enum class NodeState : std::uint8_t { untouched = 0, in_use = 1, freed = 2, collected = 3 };

// gen: incarnation in the upper 62 bits, state in the lower 2. An incarnation (a thread number of
// the block 30 bits, that thread's counter 32 bits) is never used twice in a block, so equal
// incarnations mean equal bytes.
using Gen = std::uint64_t;
[[nodiscard]] constexpr NodeState state_of(Gen gen) noexcept {
  return static_cast<NodeState>(gen & 3U);
}
[[nodiscard]] constexpr std::uint64_t incarnation_of(Gen gen) noexcept {
  return gen >> 2U;
}
[[nodiscard]] constexpr Gen make_gen(std::uint64_t incarnation, NodeState state) noexcept {
  return (incarnation << 2U) | static_cast<std::uint64_t>(state);
}

// The commit mark of a node before someone else takes it off its slot: only then does it become the
// incarnation, which says that the node was committed. Unique, so that the compare-and-swap of a
// thread that slept finds its own node's mark or fails, whatever the memory holds by now.
[[nodiscard]] constexpr std::uint64_t not_marked(std::uint64_t incarnation) noexcept {
  return incarnation | (std::uint64_t{1} << 63U);
}

inline constexpr std::uint64_t kMaxThreadNumber = (std::uint64_t{1} << 30U) - 1;
[[nodiscard]] constexpr std::uint64_t make_incarnation(std::uint64_t thread_number,
                                                       std::uint32_t counter) noexcept {
  return (thread_number << 32U) | counter;
}

struct Node {
  std::atomic<std::uint64_t> gen;
  std::atomic<std::uint64_t> commit_mark;  // not_marked(incarnation), or the incarnation
  std::atomic<std::uint64_t> shape;
  std::atomic<std::uint64_t> version;
  std::atomic<std::uint64_t> key_id;  // incarnation of the key's first node; audit records name it
  std::atomic<std::uint64_t> expiry_ms;  // CLOCK_MONOTONIC_COARSE; 0: never
  std::atomic<std::uint64_t> stamp;      // when it was committed: Stamp
  std::atomic<std::uint64_t> hash;
};
static_assert(sizeof(Node) == 64 && offsetof(Node, stamp) == 48 && offsetof(Node, hash) == 56);

// stamp: snapshot clock 26 | CLOCK_MONOTONIC_COARSE in ms 38, 8.7 years. The clock orders a version
// against checkpoints, the time against versions of other blocks: joins and leak reports ask for
// it.
struct Stamp {
  std::uint64_t instant = 0;
  std::uint64_t written_ms = 0;

  static constexpr unsigned kTimeBits = 38;
  static constexpr std::uint64_t kTimeMask = (std::uint64_t{1} << kTimeBits) - 1;

  [[nodiscard, gnu::always_inline]] static constexpr Stamp unpack(std::uint64_t word) noexcept {
    return {word >> kTimeBits, word & kTimeMask};
  }
  [[nodiscard, gnu::always_inline]] constexpr std::uint64_t pack() const noexcept {
    return (instant << kTimeBits) | (written_ms & kTimeMask);
  }
};
// Instants that a block draws are below; who scribbles a higher one into its clock is found out.
inline constexpr std::uint64_t kMaxInstant = (std::uint64_t{1} << (64 - Stamp::kTimeBits)) - 1;

// A previous version that a checkpoint still needs: low is its offset (0: none), high its gen. A
// pair, because a director that takes a version out of a chain must change both at once.
using Link = AtomicPair;
static_assert(sizeof(Link) == 16);

// The type of a value as users see it. A tombstone is what an erase leaves: it keeps the key's
// slot and its version.
enum class ValueType : std::uint8_t {
  tombstone = 0,
  bytes = 1,
  text = 2,
  integer = 3,
  real = 4,
  boolean = 5,
};

// shape: value bytes 40 | key bytes 12 | type 4 | linked 1 | 7 zero. One word, so that a reader
// takes all lengths at once and never twice.
struct Shape {
  std::uint64_t value_bytes = 0;
  std::uint32_t key_bytes = 0;
  ValueType type = ValueType::tombstone;
  bool linked = false;

  [[nodiscard, gnu::always_inline]] static constexpr Shape unpack(std::uint64_t word) noexcept {
    return {word & ((std::uint64_t{1} << 40U) - 1),
            static_cast<std::uint32_t>((word >> 40U) & 0xFFFU),
            static_cast<ValueType>((word >> 52U) & 0xFU), ((word >> 56U) & 1U) != 0};
  }
  [[nodiscard]] constexpr std::uint64_t pack() const noexcept {
    return value_bytes | (std::uint64_t{key_bytes} << 40U) |
           (static_cast<std::uint64_t>(type) << 52U) | (std::uint64_t{linked ? 1U : 0U} << 56U);
  }
  [[nodiscard]] constexpr std::uint64_t key_at() const noexcept {
    return sizeof(Node) + (linked ? sizeof(Link) : 0U);
  }
  [[nodiscard]] constexpr std::uint64_t value_at() const noexcept {
    return key_at() + ((std::uint64_t{key_bytes} + 7U) & ~std::uint64_t{7});
  }
  [[nodiscard]] constexpr std::uint64_t node_bytes() const noexcept {
    return value_at() + ((value_bytes + 7U) & ~std::uint64_t{7});
  }
};

inline constexpr std::uint32_t kMaxKeyBytes = 1024;
inline constexpr std::uint64_t kMaxValueBytes = (std::uint64_t{1} << 40U) - 1;

}  // namespace sessionblocks::layout
