// A lane: what one thread of this process has in the worker segment, and what it keeps beside it.
//
// A thread takes a lane at its first operation of a session and gives it back when the thread or
// the session ends. Only that thread uses it, so nothing here is locked. A lane whose thread is
// inside an operation is busy: a callback that calls back in is told so.
#pragma once

#include "lockfree/audit_ring.hpp"
#include "platform/mapping.hpp"
#include "segment/eviction.hpp"
#include "segment/worker_memory.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <mutex>

namespace sessionblocks {

class BlockHandle;

// What a lane keeps for one open block.
struct LaneBlock {
  segment::HazardSlot hazard;
  std::unique_ptr<segment::Writer> writer;    // made by the thread's first write
  std::unique_ptr<segment::Evictor> evictor;  // by the first that finds the block full
};

struct Lane {
  Lane(layout::LaneHead& head_, layout::AuditRecord* cells, std::uint64_t capacity,
       layout::OpenCounters* counters_, OwnerId owner_)
      : head(&head_), ring(head_, cells, capacity), counters(counters_), owner(owner_) {
    ring.set_present(0);
  }

  layout::LaneHead* head;
  AuditRingWriter ring;
  layout::OpenCounters* counters;
  OwnerId owner;

  // The handle that the thread is inside an operation of; other threads look, after a membarrier.
  [[nodiscard]] bool is_busy() const noexcept {
    return inside.load(std::memory_order_relaxed) != nullptr;
  }
  // Before the state of the block is looked at, so that who finds nobody inside after it changed
  // knows that nobody comes in.
  void enter(const BlockHandle& handle) noexcept {
    inside.store(&handle, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  void leave() noexcept { inside.store(nullptr, std::memory_order_release); }

  std::atomic<const BlockHandle*> inside{nullptr};
  std::array<std::unique_ptr<LaneBlock>, layout::kOpens> blocks;
};

// The lanes of one session.
class LaneSet {
 public:
  LaneSet(segment::WorkerMemory memory, const platform::Mapping& mapping, WorkerId worker)
      : memory_(memory), mapping_(&mapping), worker_(worker) {}

  // too_many: all lanes are taken; out_of_memory: no memory for one.
  [[nodiscard]] Result<Lane*> take();
  // The calling thread, or one that is over, no longer uses it; its pages lose their owner.
  void give_back(Lane& lane) noexcept;
  void give_back_all() noexcept;  // the session ends: no thread is inside an operation
  // Whether a thread is inside an operation of it.
  [[nodiscard]] bool is_inside(const BlockHandle& handle) noexcept;
  // No thread uses the block any more.
  void forget_block(std::uint16_t open) noexcept;
  [[nodiscard]] std::uint64_t ring_records() const noexcept { return memory_.ring_records(); }
  // Memory for `cells` more ring cells behind the write index. Where there is none the ring is as
  // large as it is: it begins again at its first cell once it is drained. out_of_memory: it has
  // no cell at all.
  [[nodiscard]] Errc make_ring_present(Lane& lane, std::uint64_t cells) noexcept;

 private:
  segment::WorkerMemory memory_;
  const platform::Mapping* mapping_;
  WorkerId worker_;
  std::mutex mutex_;
  std::array<std::unique_ptr<Lane>, layout::kLanes> lanes_;
};

}  // namespace sessionblocks
