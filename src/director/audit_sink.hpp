// Where audit records go. FlowLog implements it; the director says when.
//
// All calls come from the director's event loop; what must be taken in between is the sink's own
// thread's work. The worker's segment stays mapped between
// worker_added and worker_removed. Open indexes are reused only after drain_fully.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>
#include <string_view>

#include "core/ids.hpp"
#include "director/data_plane.hpp"
#include "snapshot/keys.hpp"

namespace sessionblocks::director {

class AuditSink {
 public:
  virtual ~AuditSink() = default;

  virtual void worker_added(const WorkerMemory& worker, std::string_view scope) = 0;
  // From now on `open` in this worker's records stands for this block.
  virtual void block_opened(WorkerId worker, unsigned open, BlockId block, Generation generation,
                            std::string_view name) = 0;
  // Takes every record that the worker has published so far. It may live or be dead.
  virtual void drain_fully(WorkerId worker) = 0;
  virtual void worker_removed(WorkerId worker) = 0;
  // Whether a record of this open was taken since this was asked last. What is not known counts:
  // an answer of false must be true.
  virtual bool take_used(WorkerId /*worker*/, unsigned /*open*/) { return true; }
  // Whether values can be kept, encrypted, where a block logs them.
  [[nodiscard]] virtual bool keeps_values() const noexcept { return false; }
  // Those of this block are kept from now on, with its key. Said again when another generation
  // becomes the block, and by each director.
  virtual void keep_values(BlockId /*block*/, Generation /*generation*/, std::string_view /*name*/,
                           const snapshot::Key& /*key*/) {}
  // It was wiped, and its key goes: what came can be read no longer, and what comes is not kept.
  virtual void drop_values(BlockId /*block*/) {}
  // It was destroyed. What its workers wrote may come yet.
  virtual void end_values(BlockId /*block*/) {}
  // Something that the director did and that belongs into the same log.
  virtual void note(std::string_view transition) = 0;
};

// Of one session system, the same over restarts of its director: logs tell systems apart by it.
using SystemInstance = std::array<std::byte, 16>;
using MakeAuditSink =
    std::function<Result<std::shared_ptr<AuditSink>>(const SystemInstance& instance)>;

// Takes records out of the rings and drops them: for systems that keep no log.
[[nodiscard]] std::unique_ptr<AuditSink> make_discarding_audit_sink();

}  // namespace sessionblocks::director
