// A worker segment: what one worker tells the director, a lane per thread.
//
//   | header 4 KiB | lane 0 | lane 1 | ...        lane: head 4 KiB | counters 16 KiB | ring
//
// Written by the worker's own threads and, once it is dead, by the director that recovers it.
// Nobody else maps it. A hostile worker can lie here about itself: recovery and draining take
// nothing from it without a check.
#pragma once

#include "core/ids.hpp"
#include "layout/identity.hpp"

namespace sessionblocks::layout {

inline constexpr unsigned kLanes = 32;      // threads of a worker that use the library at once
inline constexpr unsigned kMaxOpens = 512;  // blocks (and generations) that a worker has open
inline constexpr std::uint64_t kLaneHeadBytes = 4'096;
inline constexpr std::uint64_t kLaneCounterBytes = 16'384;
inline constexpr std::uint64_t kDefaultRingRecords = std::uint64_t{1} << 20U;
inline constexpr std::uint64_t kMinRingRecords = 256;  // more than the longest operation writes

// One operation in the audit ring. A record with kInlineKey in `flags` is followed by
// ceil(value_bytes / 32) cells that hold the key's bytes (op define_key, and reads of absent keys).
struct AuditRecord {
  std::uint64_t key_id;
  std::uint64_t version;
  std::uint32_t time_ms;      // low half of CLOCK_MONOTONIC_COARSE in ms; the director extends it
  std::uint32_t value_bytes;  // saturates; with kInlineKey the key's bytes
  std::uint16_t open;         // index into the worker's open blocks
  std::uint8_t op;            // Op
  std::uint8_t outcome;       // Errc, 0 for ok
  std::uint16_t count;        // identical operations in this record, at least 1
  std::uint16_t flags;
};
static_assert(sizeof(AuditRecord) == 32);
inline constexpr std::uint16_t kInlineKey = 1;
// A record with this flag is followed, behind the cells of its key, by a ValueDetail and
// ceil(logged_bytes / 32) cells of bytes: what a change made of an entry, in a block that logs
// values, or what a generation was filled with (op define_key).
inline constexpr std::uint16_t kInlineValue = 2;

struct ValueDetail {
  std::uint64_t expiry_ms;     // as in the node
  std::uint64_t kept_bytes;    // how much of the value before the new one begins with
  std::uint64_t logged_bytes;  // come behind that: what append added, all of what put stored
  std::uint32_t time_ms;       // as in the record, for whoever has to write that one
  std::uint8_t type;           // ValueType
  std::uint8_t zero[3];
};
static_assert(sizeof(ValueDetail) == sizeof(AuditRecord));
inline constexpr std::uint64_t kMostLoggedBytes = std::uint64_t{32} << 20U;  // of one value

// What a thread is about to commit. In flight means op > done.
struct alignas(kLine) Intent {
  std::atomic<std::uint64_t> op;
  std::atomic<std::uint64_t> done;
  // Op 8 | keep old 1 << 8 | fresh slot 1 << 9 | value laid 1 << 10 | open index << 16
  std::atomic<std::uint64_t> what;
  std::atomic<std::uint64_t> table;  // TableWord whose slot is to change; 0: none named yet
  std::atomic<std::uint64_t> slot;   // index in that table
  std::atomic<std::uint64_t> fresh;  // offset of the new node; 0: none taken
  std::atomic<std::uint64_t> fresh_gen;
  std::atomic<std::uint64_t> old;  // offset of the node that the commit takes off; 0: none
  std::atomic<std::uint64_t> old_gen;
  std::uint64_t zero0[2];
  std::atomic<std::uint64_t> record_at;  // ring index kept for this operation's record
  std::atomic<std::uint64_t> version;
  std::atomic<std::uint64_t> key_id;
  std::atomic<std::uint64_t> value_bytes;
  std::uint64_t zero1;
};
static_assert(sizeof(Intent) == 128 && offsetof(Intent, old_gen) == 64);
inline constexpr std::uint64_t kKeepOld = std::uint64_t{1} << 8U;
inline constexpr std::uint64_t kFreshSlot = std::uint64_t{1} << 9U;
// The cells behind record_at hold the new value; they are published with the record.
inline constexpr std::uint64_t kValueLaid = std::uint64_t{1} << 10U;

// What a thread does to shared memory beside its operation: it moves slots to the next table (and
// so keeps the memory of both from reuse), drops a tombstone on the way, or gives the pages of a
// freed run back. At most one at a time, inside or outside an operation.
// The director also takes versions off a chain that no checkpoint needs any more.
enum class SideKind : std::uint64_t { none = 0, drop = 1, return_run = 2, move = 3, trim = 4 };

struct alignas(kLine) SideIntent {
  std::atomic<std::uint64_t> kind;   // SideKind; stored last when armed, first when done
  std::atomic<std::uint64_t> open;   // index of the open block
  std::atomic<std::uint64_t> table;  // move, drop: TableWord of the old table; trim: of the slot's
  std::atomic<std::uint64_t> slot;   // drop, trim: index in that table
  std::atomic<std::uint64_t> old;    // the tombstone, the head of the run, the version
  std::atomic<std::uint64_t> old_gen;
  // drop: the ref, return_run: the gen that only this thread stores. It won if that shows.
  std::atomic<std::uint64_t> mine;
  std::uint64_t zero;
};
static_assert(sizeof(SideIntent) == 64);

enum class LaneState : std::uint32_t { free = 0, taken = 1 };

struct alignas(kLine) LaneHead {
  std::atomic<std::uint32_t> state;  // LaneState
  std::atomic<std::uint32_t> thread_id;
  std::uint64_t zero[7];

  Intent intent;
  SideIntent side;

  alignas(kLine) std::atomic<std::uint64_t> ring_written;  // records published, ever: by the worker
  std::atomic<std::uint64_t> ring_lost;  // operations that the policy "count" let go unrecorded
  // Record n is in cell (n + ring_shift) mod ring_records. Not 0 once the ring began again at its
  // first cell because there was no memory for more.
  std::atomic<std::uint64_t> ring_shift;
  alignas(kLine) std::atomic<std::uint64_t> ring_drained;  // records taken: the director's copy
  // Stored by the director when a block has settled: the operation in flight, if it had committed.
  std::atomic<std::uint64_t> committed_op;
};
static_assert(offsetof(LaneHead, intent) == 64 && offsetof(LaneHead, side) == 192);
static_assert(offsetof(LaneHead, ring_written) == 256 && offsetof(LaneHead, ring_shift) == 272);
static_assert(offsetof(LaneHead, ring_drained) == 320 && offsetof(LaneHead, committed_op) == 328);
static_assert(sizeof(LaneHead) <= kLaneHeadBytes);

// Per open block: what audit levels "writes" and "counted" keep instead of records, and at every
// level what its state or the handle's rights refused.
struct OpenCounters {
  std::atomic<std::uint64_t> reads;
  std::atomic<std::uint64_t> writes;
  std::atomic<std::uint64_t> refused;
  std::uint64_t zero;
};
static_assert(sizeof(OpenCounters) * kMaxOpens == kLaneCounterBytes);

struct WorkerHeader {
  Identity identity;
  std::uint32_t worker_id;
  std::uint32_t lanes;
  std::uint64_t ring_records;             // a power of two, per lane
  std::atomic<std::uint32_t> finished;    // 1: the process detached in order
  std::atomic<std::uint32_t> lanes_used;  // bit n: memory for lane n is there, a thread had it
  // How often a handle of this process found its block damaged: the director looks for itself.
  std::atomic<std::uint64_t> damage_seen;
  // Which block and generation an open index stands for: generation 32 | block id 32, 0 none.
  alignas(kLine) std::atomic<std::uint64_t> opens[kMaxOpens - 16];
};
static_assert(sizeof(WorkerHeader) <= 4'096 && offsetof(WorkerHeader, opens) == 64);
inline constexpr unsigned kOpens = kMaxOpens - 16;

[[nodiscard]] constexpr std::uint64_t lane_bytes(std::uint64_t ring_records) noexcept {
  return kLaneHeadBytes + kLaneCounterBytes + ring_records * sizeof(AuditRecord);
}
[[nodiscard]] constexpr std::uint64_t lane_at(unsigned lane, std::uint64_t ring_records) noexcept {
  return 4'096 + lane * lane_bytes(ring_records);
}
[[nodiscard]] constexpr std::uint64_t worker_bytes(std::uint64_t ring_records) noexcept {
  return lane_at(kLanes, ring_records);
}

}  // namespace sessionblocks::layout
