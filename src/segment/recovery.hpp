// Making good what a dead worker left: its intents, its pages, its hazards. O(lanes) and a scan of
// the page table; never of the entries.
//
// Idempotent: whoever recovers may die at any instruction and another starts again. Only for a
// worker that is dead: nobody repairs a living thread. What an intent says counts only as far as
// the block agrees, for the worker may have been hostile.
//
// An intent is forged, and nothing is done for it, when its new node has no place or no gen, when the
// node that it calls displaced is of another key or version, is still reached, or has no later
// version, and when a run that it returns is none. What cannot be told from a stolen chunk is an
// intent that names the unfinished node of another thread: only who may write to the block can
// forge that, and could as well store the same word there.
//
// Order: drain the dead worker's rings, recover_worker for each block it held read-write, drain
// again (recovery publishes the record of the last operation, once), then give the segment up.
#pragma once

#include "layout/readers.hpp"
#include "layout/worker.hpp"
#include "segment/block_memory.hpp"
#include "segment/worker_memory.hpp"

#include <cstdint>

namespace sessionblocks::segment {

struct RecoveredBlock {
  BlockMemory* memory = nullptr;
  layout::ReadersSegment* readers = nullptr;
  std::uint16_t open = 0;  // the dead worker's index of this block
  bool audited = true;     // whether writes to it are recorded one by one
};

struct RecoveryReport {
  unsigned committed = 0;   // operations in flight that had committed and were completed
  unsigned undone = 0;      // operations in flight that had not, whose node was freed
  unsigned forged = 0;      // intents that no writer leaves, or that the block contradicts
  std::uint64_t pages = 0;  // pages that lost their owner
};

// For one block that the worker held read-write.
[[nodiscard]] RecoveryReport recover_in_block(const WorkerMemory& worker, WorkerId id,
                                              const RecoveredBlock& block);
// For one that it held read-only: hazards.
void release_readers(layout::ReadersSegment& readers, WorkerId id);

}  // namespace sessionblocks::segment
