// The control segment: the directory of blocks, scopes and workers. The director alone writes it,
// every worker maps it read-only; what stands here is the authority.
//
//   | header 4 KiB | blocks | scopes | workers | checkpoints | used references | redeemed opens |
//   | holdings | revocations | sensitive patterns |
//
// A row is published by its id (release) after all else in it and withdrawn by id 0 first. Whoever
// copies a row checks that the id is the same before and after.
#pragma once

#include "core/ids.hpp"
#include "core/words.hpp"
#include "layout/identity.hpp"

namespace sessionblocks::layout {

inline constexpr std::uint32_t kBlockRows = 16'384;
inline constexpr std::uint32_t kScopeRows = 8'192;
inline constexpr std::uint32_t kWorkerRows = 4'096;
inline constexpr std::uint32_t kCheckpointRows = 8'192;
inline constexpr std::uint32_t kUsedReferenceRows = 4'096;
inline constexpr std::uint32_t kRedeemedRows = 8'192;
inline constexpr std::uint32_t kHoldingRows = 32'768;
inline constexpr std::uint32_t kRevocationRows = 1'024;
inline constexpr std::uint32_t kSensitiveRows = 4'096;
inline constexpr std::size_t kNameBytes = 64;          // with a closing zero
inline constexpr std::size_t kRevokedPathBytes = 464;  // with a closing zero

// The one word that an operation compares: block id 32 | generation 24 | state 8. A handle keeps
// the word it may work under; any difference sends it to the slow path.
struct LifeWord {
  std::uint64_t word = 0;

  [[nodiscard]] static constexpr LifeWord make(BlockId id, Generation generation,
                                               BlockState state) noexcept {
    return {(std::uint64_t{raw(id)} << 32U) | (std::uint64_t{raw(generation) & 0xFF'FFFFU} << 8U) |
            static_cast<std::uint64_t>(state)};
  }
  [[nodiscard]] constexpr BlockId id() const noexcept {
    return static_cast<BlockId>(static_cast<std::uint32_t>(word >> 32U));
  }
  [[nodiscard]] constexpr Generation generation() const noexcept {
    return static_cast<Generation>(static_cast<std::uint32_t>((word >> 8U) & 0xFF'FFFFU));
  }
  [[nodiscard]] constexpr BlockState state() const noexcept {
    return static_cast<BlockState>(word & 0xFFU);
  }
  friend constexpr bool operator==(LifeWord, LifeWord) = default;
};

struct alignas(kLine) BlockRow {
  // Read by every operation.
  std::atomic<std::uint64_t> life;            // LifeWord; 0: free row
  std::atomic<std::uint64_t> reserved_bytes;  // memory is there for every offset below this
  std::atomic<std::uint64_t> segment_bytes;   // = quota rounded to pages
  std::atomic<std::uint64_t>
      policy;  // 8 each: AuditLevel, FullRing, BlockKind, Enforce, AtEnd, AtLimit, Masking;
               // kLogsValues
  std::atomic<std::uint32_t> change_seq;  // waiters of state and generation sleep on this
  std::uint32_t owner_scope;
  std::uint64_t zero0[3];
  // Read by inspectors and by the director that adopts.
  std::uint64_t quota_bytes;
  std::uint64_t ends_at_ms;       // CLOCK_BOOTTIME; 0: with its owner scope
  std::uint64_t created_ms;       // CLOCK_REALTIME
  std::uint64_t goal;             // a transition under way: what it shall become, 0 none
  std::uint32_t origin_block;     // inherited, forked: where it came from
  std::uint32_t first_table_id;   // table ids of a generation start here
  std::uint32_t permits;          // bits of what the suite permits: share, fork, persist, elevate
  std::uint32_t last_generation;  // the highest that was ever begun; none is begun twice
  char name[kNameBytes];
  std::uint64_t idle_ms;     // ends when nobody used it for so long; 0: however long
  std::uint32_t heir_scope;  // AtEnd::heir: who gets it; = owner_scope: who got it; 0: not there
  std::uint32_t enforcing;   // a change of state under way: how, if not as the policy says; 0: so
};
static_assert(sizeof(BlockRow) == 192 && offsetof(BlockRow, quota_bytes) == 64);
static_assert(offsetof(BlockRow, name) == 112 && offsetof(BlockRow, idle_ms) == 176);
// In policy: records of changes carry the values.
inline constexpr std::uint64_t kLogsValues = std::uint64_t{1} << 56U;
// Goals that are no state; otherwise a goal is a BlockState. heir_scope becomes the owner.
inline constexpr std::uint64_t kGoalHandOver = 0x100;
// The fork ends once its origin, which then has no base of it any more, has what it changed.
inline constexpr std::uint64_t kGoalJoin = 0x101;

struct alignas(kLine) ScopeRow {
  std::atomic<std::uint32_t> id;  // 0: free row
  std::uint32_t parent;
  std::uint8_t kind;           // ScopeKind
  std::uint8_t ended;          // 1: ending, children first
  std::uint16_t slot;          // worker slots: their number, from 1
  std::uint32_t worker;        // flow blocks: the worker that entered
  std::uint64_t started_ms;    // CLOCK_REALTIME
  std::uint64_t entry;         // flow blocks: the number by which that worker knows it
  std::uint64_t budget_bytes;  // for its blocks and all below; 0: no bound of its own
  std::uint64_t zero1[3];
  char name[kNameBytes];  // its own part of the path
};
static_assert(sizeof(ScopeRow) == 128 && offsetof(ScopeRow, entry) == 24);

struct alignas(kLine) WorkerRow {
  std::atomic<std::uint32_t> id;  // 0: free row
  std::uint32_t scope;
  std::int32_t pid;
  std::uint32_t state;        // 1 starting, 2 attached, 3 dead, 4 recovered, 5 attaching
  std::uint64_t start_ticks;  // with pid and boot id: who it is
  std::uint64_t ring_records;
  std::uint64_t started_ms;
  std::uint32_t restarts;
  std::uint32_t zero0;
  std::uint64_t zero1[2];
};
static_assert(sizeof(WorkerRow) == 64);

// A checkpoint that somebody asked for: the pin of this instant in the block's header is its. A pin
// without a row is nobody's.
struct alignas(kLine) CheckpointRow {
  std::atomic<std::uint64_t> block;  // block id 32 | generation 32; 0: free row
  std::uint64_t instant;
  std::uint64_t taken_ms;  // CLOCK_REALTIME
  std::uint64_t zero0[5];
  char name[kNameBytes];
};
static_assert(sizeof(CheckpointRow) == 128);

// A reference for a single use that was used. The row is free again when no reference of this nonce
// could be redeemed anyhow: its time has passed, or its block or its issuer has ended.
struct alignas(32) UsedReferenceRow {
  std::atomic<std::uint64_t> nonce;  // 0: free row
  std::uint64_t ends_at_ms;          // CLOCK_BOOTTIME
  std::uint32_t block;
  std::uint32_t issuer;  // scope
  std::uint64_t zero0;
};
static_assert(sizeof(UsedReferenceRow) == 32);

// A worker's open that a reference gave it, whatever the grants say: what a director that adopts
// the worker takes its rights from.
struct alignas(32) RedeemedRow {
  std::atomic<std::uint32_t> worker;  // 0: free row
  std::uint32_t open;
  std::uint32_t block;
  std::uint32_t generation;
  std::uint8_t rights;
  std::uint8_t zero0[3];
  std::uint32_t issuer;  // scope: that of the one who shared it, or the next above that is left
  std::uint64_t zero1;
};
static_assert(sizeof(RedeemedRow) == 32);

// A process that was given a descriptor of a generation, and the scope for which. It may have it
// mapped as long as it lives, whatever it has closed and whether it is attached.
struct alignas(32) HoldingRow {
  std::atomic<std::uint64_t> block;  // block id 32 | generation 32; kEveryBlock; 0: free row
  std::uint64_t start_ticks;
  std::int32_t pid;
  std::uint32_t scope;  // or the next above that is left
  std::uint8_t rights;
  std::uint8_t zero0[7];
};
static_assert(sizeof(HoldingRow) == 32);
// Too many to remember one by one.
inline constexpr std::uint64_t kEveryBlock = ~std::uint64_t{0};

// A scope, and all below it, that have no more than these rights on a block, whatever gave them.
struct alignas(kLine) RevocationRow {
  std::atomic<std::uint32_t> block;  // 0: free row
  std::uint32_t left;                // Rights
  std::uint32_t enforcing;           // under way: how; 0: done
  std::uint32_t zero0;
  std::uint64_t revoked_ms;  // CLOCK_REALTIME
  std::uint64_t zero1[3];
  char path[kRevokedPathBytes];
};
static_assert(sizeof(RevocationRow) == 512 && offsetof(RevocationRow, path) == 48);

// A pattern over the keys of a block: what it matches is shown by no tool.
struct alignas(kLine) SensitiveRow {
  std::atomic<std::uint32_t> block;  // 0: free row
  std::uint32_t bytes;               // of the pattern
  char pattern[120];
};
static_assert(sizeof(SensitiveRow) == 128 && offsetof(SensitiveRow, pattern) == 8);
// Of a block's policy: which of its keys are sensitive. Anything else: every_key.
enum class Masking : std::uint8_t { none = 0, by_patterns = 1, every_key = 2 };
[[nodiscard]] constexpr Masking masking_of(std::uint64_t policy) noexcept {
  const auto value = static_cast<std::uint8_t>(policy >> 48U);
  return value > 1 ? Masking::every_key : static_cast<Masking>(value);
}

struct ControlHeader {
  Identity identity;
  std::atomic<std::uint64_t> epoch;  // one more each time a director takes over
  std::uint64_t hash_seed;           // of keys, random per system: names cannot be made to collide
  std::uint32_t director_pid;
  std::uint32_t zero0;
  std::uint64_t director_start_ticks;
  unsigned char boot_id[16];
  std::uint64_t pid_namespace;
  std::atomic<std::int64_t> boottime_offset_ms;  // CLOCK_BOOTTIME - CLOCK_MONOTONIC
  std::atomic<std::int64_t> realtime_offset_ms;  // CLOCK_REALTIME - CLOCK_MONOTONIC
  std::atomic<std::uint32_t> stopped;            // 1: the director ended in order
  std::uint32_t next_block_id;
  std::uint32_t next_scope_id;
  std::uint32_t next_worker_id;
  std::uint64_t budget_bytes;  // for all blocks; 0: no bound
  char system_name[kNameBytes];
};
static_assert(sizeof(ControlHeader) <= 4'096);

struct ControlSegment {
  ControlHeader header;
  alignas(4'096) BlockRow blocks[kBlockRows];
  ScopeRow scopes[kScopeRows];
  WorkerRow workers[kWorkerRows];
  CheckpointRow checkpoints[kCheckpointRows];
  UsedReferenceRow used_references[kUsedReferenceRows];
  RedeemedRow redeemed[kRedeemedRows];
  HoldingRow holdings[kHoldingRows];
  RevocationRow revocations[kRevocationRows];
  SensitiveRow sensitive[kSensitiveRows];
};
static_assert(offsetof(ControlSegment, blocks) == 4'096);

}  // namespace sessionblocks::layout
