// What the director does about intents of living threads: it waits for nobody.
//
// settle(): after the director changed the state, the snapshot clock or a table word, nothing that
// began before the change can commit. Each slot that an in-flight intent names is bumped ({r,v} to
// {r,v+1}: changes nothing, fails every compare-and-swap in flight). A thread that had not yet
// named its slot sees the change when it looks: the membarrier stands between.
#pragma once

#include <sessionblocks/error.hpp>

#include "segment/block_memory.hpp"
#include "segment/worker_memory.hpp"

#include <span>

namespace sessionblocks::segment {

// A worker that has the block open read-write, dead ones included until they are recovered.
struct IntentSource {
  const WorkerMemory* worker = nullptr;
  std::uint16_t open = 0;
};

// unsupported, io_error: the membarrier failed; nothing is settled.
[[nodiscard]] Result<void> settle(BlockMemory& memory, std::span<const IntentSource> workers);

// Whether an operation in flight on the block names the table whose first page this is. Call it
// after a membarrier.
[[nodiscard]] bool is_table_in_use(const BlockMemory& memory, std::uint64_t page,
                                   std::span<const IntentSource> workers);

}  // namespace sessionblocks::segment
