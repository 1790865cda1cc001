// What the director needs of the data plane, and no more: to lay out fresh segments, to settle
// after it changed a state, and to put right what a dead worker left.
//
// The director's own tests run without an index or a heap; the real one is segment_data_plane.hpp.
// Every function may be repeated after a crash of the director with the same result.
#pragma once

#include <memory>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/ids.hpp"
#include "core/words.hpp"

namespace sessionblocks::director {

// A block as the director maps it: all its memory, and how much of that may be touched.
struct BlockMemory {
  BlockId id{};
  Generation generation{};
  std::span<std::byte> block;
  std::span<std::byte> readers;
  std::uint64_t reserved_bytes = 0;
};

// A block that a worker had open; its records and intents name it by `open`.
struct WorkerOpen {
  unsigned open = 0;
  sessionblocks::Rights rights = sessionblocks::Rights::none;
  BlockMemory memory;
};

struct WorkerMemory {
  WorkerId id{};
  std::span<std::byte> segment;
  std::uint64_t ring_records = 0;
};

struct RecoveryReport {
  std::uint64_t committed = 0;  // operations in flight that had taken effect
  std::uint64_t undone = 0;     // operations in flight that had not
  std::uint64_t refused = 0;    // intents that were forged
};

class DataPlane {
 public:
  virtual ~DataPlane() = default;

  // Over zeroed memory, of which the first `reserved_bytes` may be touched.
  virtual Result<void> format_block(const BlockMemory& memory, std::uint64_t hash_seed,
                                    std::uint32_t first_table_id) = 0;
  virtual Result<void> format_worker(const WorkerMemory& memory) = 0;

  // How many bytes of the block have been in use so far, from its start: what is reserved stays
  // ahead of that. A hint from shared bytes; the caller bounds it.
  virtual std::uint64_t used_bytes(const BlockMemory& memory) = 0;

  // After this, nothing that began before the change of state can commit. Nobody is waited for.
  virtual void settle(const BlockMemory& block, std::span<const WorkerMemory> workers) = 0;
  virtual RecoveryReport recover(const WorkerMemory& worker, std::span<const WorkerOpen> opens) = 0;
  // Work that nobody has to do at once: finishing growth, returning memory inside the block.
  virtual void maintain(const BlockMemory& block) = 0;
};

// Writes identities only. Enough for everything that the director itself decides.
[[nodiscard]] std::unique_ptr<DataPlane> make_bare_data_plane();

}  // namespace sessionblocks::director
