// What the director needs of the data plane, and no more: to lay out fresh segments, to settle
// after it changed a state, and to put right what a dead worker left.
//
// The director's own tests run without an index or a heap; see below.
// Every function may be repeated after a crash of the director with the same result.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/ids.hpp"
#include "core/words.hpp"
#include "segment/loader.hpp"
#include "segment/merge.hpp"
#include "segment/moment.hpp"

namespace sessionblocks::director {

// A block as the director maps it: all its memory, and how much of that may be touched.
struct BlockMemory {
  BlockId id{};
  Generation generation{};
  std::span<std::byte> block;
  std::span<std::byte> readers;
  // How much of it may be touched, as in control; it grows. More can be had with `populate`.
  std::shared_ptr<const std::atomic<std::uint64_t>> reserved;
  std::function<bool(std::uint64_t offset, std::uint64_t bytes)> populate;
  bool audited = true;       // writes to it are recorded one by one
  bool logs_values = false;  // records of it carry values
  bool evicts = false;       // its writers take entries out when it is full
};

// A block that a worker had open; its records and intents name it by `open`.
struct WorkerOpen {
  unsigned open = 0;  // kNoOpen: nothing of the worker's names it, but it may own pages there
  sessionblocks::Rights rights = sessionblocks::Rights::none;
  BlockMemory memory;  // none: its pages have gone
};

struct WorkerMemory {
  WorkerId id{};
  std::span<std::byte> segment;
  std::uint64_t ring_records = 0;
};

inline constexpr unsigned kNoOpen = 0xFFFF;

// Somebody who has a block open read-write, and as what.
struct Holder {
  WorkerMemory worker;
  unsigned open = 0;
};

using segment::EntryBytes;
using segment::Moment;
using TakeEntry = std::function<Result<void>(const EntryBytes&)>;
// Hands out entries until there are none left, or `put` fails.
using EntrySource = std::function<Result<void>(const TakeEntry& put)>;

// A block that was formatted and that nobody has opened, and the lane of the director whose ring
// the log hears of its entries by.
struct FillPlace {
  BlockMemory block;
  WorkerMemory own;
  unsigned open = 0;
  std::function<void()> drain;  // the ring is full
  // What it will hold is about as much as this block does; null: nothing is known.
  const BlockMemory* like = nullptr;
};

// What a fork changed since both sides were one: segment/merge.hpp.
using segment::MergeReport;
struct MergePlan {
  BlockMemory origin;
  Moment origin_base;
  BlockMemory fork;
  Moment fork_base;
  std::uint64_t now_ms = 0;
  segment::PolicyOfKey policy_of;
};

// What memory is made ready for it at once: as much as the present one uses, or none beforehand.
enum class Room : std::uint8_t { as_before, as_needed };

// The next generation of a block in the making: segment/rebuild.hpp. Errors: out_of_memory,
// corrupt.
class NextGeneration {
 public:
  virtual ~NextGeneration() = default;
  virtual Result<void> advance(const Moment& moment) = 0;
  virtual Result<void> advance_and_pin(const Moment& moment) = 0;
  virtual Result<void> change_back_from(const Moment& now) = 0;
  // On top of what was copied.
  virtual Result<void> change(const EntryBytes& entry) = 0;
  virtual Result<void> remove(std::span<const std::byte> key) = 0;
  // Nothing is done with it afterwards.
  virtual void end() = 0;
};

struct RecoveryReport {
  std::uint64_t committed = 0;  // operations in flight that had taken effect
  std::uint64_t undone = 0;     // operations in flight that had not
  std::uint64_t refused = 0;    // intents that were forged
};

class DataPlane {
 public:
  virtual ~DataPlane() = default;

  // Over zeroed memory.
  virtual Result<void> format_block(const BlockMemory& memory, std::uint64_t hash_seed,
                                    std::uint32_t first_table_id) = 0;
  virtual Result<void> format_worker(const WorkerMemory& memory) = 0;

  // How many bytes of the block have been in use so far, from its start: what is reserved stays
  // ahead of that. A hint from shared bytes; the caller bounds it.
  virtual std::uint64_t used_bytes(const BlockMemory& memory) = 0;

  // After this, nothing that began before the change of state can commit, and what had is
  // remembered in its worker's segment, should the block's pages go. Nobody is waited for.
  // An error: the kernel refused the barrier, and nothing is settled.
  virtual Result<void> settle(const BlockMemory& block, std::span<const Holder> holders) = 0;
  virtual RecoveryReport recover(const WorkerMemory& worker, std::span<const WorkerOpen> opens) = 0;
  // Work that nobody has to do at once: finishing growth, returning memory inside the block.
  // `own` is the director's own worker segment, in which the block is open as 0. Whether there was
  // anything to do.
  virtual bool maintain(const BlockMemory& block, const WorkerMemory& own,
                        std::span<const Holder> holders) = 0;
  // Looks at the next `most_slots` entries of the block, and at its header, for what no writer
  // leaves, however many write meanwhile. `damage` says what; empty: nothing so far.
  struct Examined {
    bool is_over = true;
    std::string damage;
  };
  virtual Examined examine(const BlockMemory& block, std::uint64_t most_slots) = 0;
  // Checkpoints, by the instant that they pin: segment/checkpoints.hpp. too_many: all pins of the
  // block are held; an error of settle: nothing is pinned.
  virtual Result<std::uint64_t> take_checkpoint(const BlockMemory& block, const WorkerMemory& own,
                                                std::span<const Holder> holders) = 0;
  // Every other pin of the block is released; what they held is given back by maintain().
  virtual Result<void> keep_checkpoints(const BlockMemory& block, const WorkerMemory& own,
                                        std::span<const std::uint64_t> instants,
                                        std::span<const Holder> holders) = 0;
  // Hands out every entry that was there at the instant of a checkpoint that is held, or is there
  // while nobody writes. corrupt; an error of `take` ends it.
  virtual Result<void> show_at(const BlockMemory& block, const Moment& moment,
                               const TakeEntry& take) = 0;
  // Whether nothing was committed after the instant of a checkpoint that is held. False also when
  // it cannot be told.
  virtual bool is_unchanged_since(const BlockMemory& block, std::uint64_t instant) = 0;
  // Versions are the new block's own. out_of_memory; invalid_key; what the source says.
  virtual Result<void> fill(const FillPlace& place, const EntrySource& source) = 0;
  virtual std::unique_ptr<NextGeneration> next_generation(const BlockMemory& present,
                                                          const FillPlace& place, Room room) = 0;
  // Into a generation of the origin; none: what would become of it. corrupt; what that says.
  virtual Result<MergeReport> merge(const MergePlan& plan, NextGeneration* into) = 0;
  // The block's memory is about to be unmapped.
  virtual void forget(BlockId block, Generation generation) = 0;
};

// The real one: src/segment.
[[nodiscard]] std::unique_ptr<DataPlane> make_segment_data_plane();
// Writes identities only. Enough for everything that the director itself decides.
[[nodiscard]] std::unique_ptr<DataPlane> make_bare_data_plane();

}  // namespace sessionblocks::director
