// The audit record of an operation that committed and whose worker died before it wrote it.
//
// As long as the block is there recovery asks the block whether the operation committed
// (recovery.hpp). Before the director empties a block's pages it has that remembered in the
// worker's own segment, where it outlives the block, and a director too.
#pragma once

#include "segment/block_memory.hpp"
#include "segment/worker_memory.hpp"

namespace sessionblocks::segment {

// Precondition: the block has settled, so that nothing in flight can commit any more (settle.hpp).
// The worker's threads may live. `open` is its index of the block.
void remember_committed(const WorkerMemory& worker, WorkerId id, const BlockMemory& memory,
                        std::uint16_t open);

// For a dead worker's block whose pages are gone: writes the records of what was remembered, and
// nothing is in flight any more. How many operations had committed. May be repeated, and cut off.
unsigned complete_remembered(const WorkerMemory& worker, std::uint16_t open);

// As the thread of this lane, which is dead, would have: at the index of the ring that it kept, so
// that doing it twice is doing it once.
void publish_last_record(const WorkerMemory& worker, unsigned lane);

}  // namespace sessionblocks::segment
