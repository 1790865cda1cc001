// Checks every invariant of a block's bytes and names each one that does not hold.
//
// What it does: one walk over the header, the index and the heap of a block at rest (nobody writes
// while it looks, or it looks at a private copy). It only loads, so a read-only mapping is enough.
// What it does not do: repair, wait, or judge a block while others write to it (findings then may
// be of what is under way).
//
// Invariants of the checker itself
//  1. Any bytes whatever give findings, never a crash, a hang or a load outside the mapping.
//  2. Time is O(pages + slots + nodes), plus a sort of the keys; memory is O(entries).
//  3. The bytes alone decide: `in_flight` and `busy_owners` only excuse what operations under way
//     leave on purpose.
// A caller that dies in it leaves nothing.
#pragma once

#include "segment/block_memory.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sessionblocks::segment {

// The names are part of what sessionctl prints: append-only, never renamed.
enum class Invariant : std::uint8_t {
  identity = 0,             // the header says what this build would write
  table_word = 1,           // the header names a table that fits the segment
  table_pages = 2,          // a table is a table_head and its parts, and carries its id
  growth_words = 3,         // old_table and next_table agree with table
  slot_mark = 4,            // a slot holds one of the marks that its table may hold
  slot_node = 5,            // a slot's offset is where a chunk or a run begins
  slot_state = 6,           // a slot's node is in use, not freed or collected
  slot_tag = 7,             // a slot's tag is the top of its key's hash
  node_hash = 8,            // a node's stored hash is the hash of its key
  node_shape = 9,           // lengths fit the chunk, type and sizes are valid
  node_version = 10,        // a version is at least 1
  node_stamp = 11,          // a stamp is at most the snapshot clock
  commit_mark = 12,         // a node's commit mark is its own
  unreachable_key = 13,     // no empty or closed slot stands between a key and its home
  duplicate_key = 14,       // a key has one slot
  shared_node = 15,         // a node is in one slot, or frozen in the old table and live in the new
  page_entry = 16,          // kind and class of a page exist
  above_watermark = 17,     // pages at and above the watermark were never claimed
  run_pages = 18,           // a run is a head and the parts that it counts
  run_part = 19,            // every part has its head
  claimed_page = 20,        // nobody prepares a page of a block at rest
  leaked_node = 21,         // a node in use is in a slot or on a chain
  incarnation_reused = 22,  // incarnations are unique
  thread_number = 23,       // thread numbers are below the next one
  hint_without_chunk = 24,  // a hint bit belongs to a chunk
  freed_without_hint = 25,  // a freed chunk of a page with an owner is hinted
  broken_link = 26,         // a link names a version that is in use
  shared_version = 27,      // a version is on one chain, once
};
inline constexpr std::size_t kInvariants = 28;

// Kebab-case, such as "leaked-node".
[[nodiscard]] std::string_view name(Invariant invariant) noexcept;

inline constexpr std::uint64_t kNowhere = ~std::uint64_t{0};

struct Finding {
  Invariant invariant{};
  std::uint64_t page = kNowhere;    // index of the heap page
  std::uint64_t slot = kNowhere;    // index in its table
  std::uint64_t offset = kNowhere;  // bytes from the start of the segment
  std::string text;                 // one sentence: what it means
};

struct FsckOptions {
  std::optional<std::uint64_t> hash_seed;  // as control knows it; else the header's
  // Nodes that intents of living threads name: in use and in no slot.
  std::span<const std::uint64_t> in_flight{};
  // Lanes with an operation under way: pages that they prepare and runs that they build or return.
  std::span<const OwnerId> busy_owners{};
  std::size_t most_findings = 1'000;  // then it goes on counting, and reports no more
};

struct FsckSummary {
  std::uint64_t entries = 0;  // expired ones included
  std::uint64_t tombstones = 0;
  std::uint64_t chained = 0;             // older versions that checkpoints keep
  std::uint64_t in_flight = 0;           // of those in use: excused by the options
  std::array<std::uint64_t, 4> nodes{};  // chunks and runs by layout::NodeState
  std::array<std::uint64_t, 8> pages{};  // below the watermark, by layout::PageKind
  std::uint64_t chunks = 0;              // all chunks and runs; the sum of `nodes`
  std::uint64_t idle_tables = 0;         // tables that the header no longer names, to be given back
  std::uint64_t findings = 0;            // also those past most_findings
};

// Nothing is an error: what is wrong with the bytes is a finding.
[[nodiscard]] std::vector<Finding> fsck(const BlockMemory& memory, const FsckOptions& options = {},
                                        FsckSummary* summary = nullptr);

}  // namespace sessionblocks::segment
