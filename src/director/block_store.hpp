// The blocks of a session system: their memory, their rows in control, their end.
//
// What it does: creates (memory, format, publish), reserves ahead of use, destroys. What it does
// not: decide who may (grants.hpp), know who has a block open (worker_table.hpp), or run timers.
//
// Creation: segments, reservation, format, row. The row comes last, so that a crash leaves segments
// without a row, which adoption removes. Destruction: goal and state into the row, wake, settle,
// unlink, withdraw the row; each step may be repeated.
//
// What is reserved is a prefix of the heap and the descriptors of its pages: reserved_bytes = R in
// control means that memory is there for [0, end of the descriptors of all pages below R) and
// for [heap, R).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <sessionblocks/error.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "director/control_directory.hpp"
#include "director/data_plane.hpp"
#include "director/grants.hpp"
#include "director/runtime_paths.hpp"
#include "director/segment_file.hpp"

namespace sessionblocks::director {

// What somebody wants: the suite file, a script, or the program that embeds the director.
struct BlockRequest {
  BlockPolicy policy;
  std::uint64_t quota_bytes = std::uint64_t{64} << 20U;
  std::uint64_t lifespan_ms = 0;  // 0: with its owner scope
  sessionblocks::AuditLevel audit = sessionblocks::AuditLevel::full;
  sessionblocks::FullRing full_ring = sessionblocks::FullRing::wait;
  sessionblocks::Enforce enforce = sessionblocks::Enforce::cooperative;
  std::uint32_t permits = 0;
  std::string from;  // inherited: the name of the block that it comes from
};

// A pinned instant of a block that somebody named.
struct Checkpoint {
  std::string name;
  std::uint64_t instant = 0;
  std::uint64_t taken_ms = 0;  // CLOCK_REALTIME
  std::uint32_t row = 0;
};

struct StoredBlock {
  BlockId id{};
  Generation generation{1};
  BlockPolicy policy;
  std::string from;
  std::uint32_t row = 0;
  std::uint64_t quota_bytes = 0;
  // As in control; ours, because a row may have another tenant when we still recover this block.
  std::shared_ptr<std::atomic<std::uint64_t>> reserved =
      std::make_shared<std::atomic<std::uint64_t>>(0);
  sessionblocks::AuditLevel audit = sessionblocks::AuditLevel::full;
  std::uint64_t ends_at_ms = 0;  // CLOCK_BOOTTIME, 0: with its scope
  sessionblocks::BlockState state = sessionblocks::BlockState::active;
  bool is_suspect = false;               // somebody says that it is damaged; to be examined
  std::shared_ptr<SegmentFile> segment;  // none: inherited
  std::shared_ptr<SegmentFile> readers;
  std::vector<Checkpoint> checkpoints;  // the oldest first

  [[nodiscard]] BlockMemory memory() const;
  [[nodiscard]] std::string text() const;  // as events and the log call it
  [[nodiscard]] std::uint64_t reserved_bytes() const noexcept {
    return reserved->load(std::memory_order_relaxed);  // only we store it
  }
};

class BlockStore {
 public:
  struct Parts {
    const RuntimePaths& paths;
    ControlDirectory& control;
    platform::OpenerThread& opener;
    DataPlane& data_plane;
    Naming naming;
  };
  explicit BlockStore(Parts parts) noexcept : parts_(parts) {}

  // invalid_argument: a quota below layout::kMinBlockBytes or above kMaxBlockBytes; out_of_memory:
  // /dev/shm cannot hold the quota now; too_many. Nothing is left on an error.
  [[nodiscard]] Result<BlockId> create(const BlockRequest& request);

  // Takes a row that an earlier director published. gone: the block was on its way out, and is
  // now; corrupt: row and segments contradict each other, and both are removed.
  [[nodiscard]] Result<BlockId> adopt(std::uint32_t row, const ScriptRights& grants,
                                      std::string from);

  // State, wake, unlink, row. What is still mapped stays mapped, here too: the caller settles in
  // between and drops the returned block once nobody has it open.
  void begin_destroy(StoredBlock& block) noexcept;
  [[nodiscard]] std::optional<StoredBlock> finish_destroy(BlockId block) noexcept;

  // Nobody but the director is to touch it from now on; wakes who waits. The caller settles.
  void quarantine(StoredBlock& block) noexcept;

  // Keeps max(1 MiB, a quarter of what is used) reserved ahead of use, and at least `wanted_bytes`
  // of the segment. Returns what is reserved now. out_of_memory: /dev/shm is full.
  [[nodiscard]] Result<std::uint64_t> reserve_ahead(StoredBlock& block,
                                                    std::uint64_t wanted_bytes = 0);

  [[nodiscard]] StoredBlock* find(BlockId block) noexcept;
  [[nodiscard]] std::map<BlockId, StoredBlock>& all() noexcept { return blocks_; }
  // Every block of this name; only private blocks of different slots share one.
  [[nodiscard]] std::vector<StoredBlock*> named(std::string_view name);

 private:
  [[nodiscard]] Result<void> make_memory(StoredBlock& block, std::uint32_t first_table_id);
  [[nodiscard]] Result<std::uint32_t> publish(const StoredBlock& block,
                                              const BlockRequest& request);
  void insert(StoredBlock block);

  Parts parts_;
  std::map<BlockId, StoredBlock> blocks_;
  std::multimap<std::string, BlockId, std::less<>> by_name_;
};

}  // namespace sessionblocks::director
