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
#include "director/audit_tap.hpp"
#include "director/data_plane.hpp"
#include "director/events.hpp"
#include "director/sensitive_keys.hpp"
#include "snapshot/keys.hpp"

namespace sessionblocks::director {

class AuditSink {
 public:
  virtual ~AuditSink() = default;

  virtual void worker_added(const WorkerMemory& worker, std::string_view scope) = 0;
  // From now on `open` in this worker's records stands for this block.
  virtual void block_opened(WorkerId worker, unsigned open, BlockId block, Generation generation,
                            std::string_view name) = 0;
  // Before any record of the block is taken: how its keys are named. None: as they are. What the
  // mask covers is named nowhere else.
  virtual void block_masked(BlockId /*block*/, SharedMask /*mask*/) {}
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
  // Hears of records as they are taken. Before any worker is added; outlives the sink.
  virtual void set_tap(AuditTap* /*tap*/) {}
  // A line that belongs into the same log.
  virtual void note(std::string_view text) = 0;

  // What the director does (transitions.hpp). It is about to do what others may see before
  // transition() says that it is done: if this director dies between the two, the log says so.
  // Returns what transition() or withdraw() ends; 0: nothing is to be ended.
  virtual std::uint64_t begin(const Event& /*event*/) { return 0; }
  virtual void transition(const Event& event, std::uint64_t begun);
  // It was not done.
  virtual void withdraw(std::uint64_t /*begun*/) {}
};

// Of one session system, the same over restarts of its director: logs tell systems apart by it.
using SystemInstance = std::array<std::byte, 16>;
using MakeAuditSink =
    std::function<Result<std::shared_ptr<AuditSink>>(const SystemInstance& instance)>;

// Takes records out of the rings and drops them: for systems that keep no log.
[[nodiscard]] std::unique_ptr<AuditSink> make_discarding_audit_sink();

}  // namespace sessionblocks::director
