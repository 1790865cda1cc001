// Who hears of audit records once they were taken out of a ring.
#pragma once

#include <span>

#include "core/ids.hpp"
#include "lockfree/audit_ring.hpp"

namespace sessionblocks::director {

// Which block each `open` of a worker's records stands for.
class OpenBlocks {
 public:
  // None: nothing that is known.
  [[nodiscard]] virtual BlockId block_of(unsigned open) const noexcept = 0;

 protected:
  ~OpenBlocks() = default;
};

// Hears of records once they were taken out of a ring, and never makes a worker wait: what it takes
// to hear of them is the drain's time. Any thread, one call at a time for each worker.
class AuditTap {
 public:
  // Whole records that were checked, in the order of their lane.
  virtual void drained(WorkerId worker, std::span<const RingCell> cells,
                       const OpenBlocks& opens) = 0;
  // A ring held what no honest worker writes.
  virtual void forged(WorkerId worker) = 0;

 protected:
  ~AuditTap() = default;
};

}  // namespace sessionblocks::director
