// Everything that a session system holds, and the transitions between its states. No event loop,
// no sockets, no child processes: those call in here (director.hpp).
//
// Every change of a scope, block or worker goes through one of these functions, which keep
// control, the audit and the event sink in step. README.md has the table of states.
//
// Only one thread uses a registry.
#pragma once

#include <functional>
#include <memory>

#include "director/audit_sink.hpp"
#include "director/block_store.hpp"
#include "director/events.hpp"
#include "director/operator_key.hpp"
#include "director/scope_tree.hpp"
#include "director/worker_table.hpp"

namespace sessionblocks::director {

struct RegistryOptions {
  RuntimePaths paths;
  Naming naming = Naming::named;
  std::uint64_t ring_records = layout::kDefaultRingRecords;
  std::shared_ptr<DataPlane> data_plane;  // none: the real one, src/segment
  MakeAuditSink make_audit;               // none: records are drained and dropped
  std::shared_ptr<AuditSink> audit;       // made by the above, once the system is known
  std::shared_ptr<EventSink> events;      // none: silent
};

enum class OpenMode : std::uint8_t { best = 0, read = 1, read_write = 2 };

// What a worker is told when it opened a block.
struct Opening {
  BlockId block{};
  Generation generation{};
  std::uint32_t row = 0;
  std::uint64_t bytes = 0;
  sessionblocks::Rights rights = sessionblocks::Rights::none;
  unsigned open = 0;
  platform::UniqueFd descriptor;
};

class Registry {
 public:
  // A new system: control made and reserved. Errors leave no segment.
  [[nodiscard]] static Result<std::unique_ptr<Registry>> create(RegistryOptions options);
  // Over the control segment of an earlier director; adoption.hpp fills in the rest.
  // What make_audit says otherwise.
  [[nodiscard]] static Result<std::unique_ptr<Registry>> over(RegistryOptions options,
                                                              SegmentFile control);

  // exists: the name is taken where the owner could see it; no_such_scope; what
  // BlockStore::create says.
  [[nodiscard]] Result<BlockId> create_block(const BlockRequest& request);
  // Handles answer `gone` from here on; whoever has it open is told to unmap it.
  void destroy_block(BlockId block, std::string_view why);
  // Handles answer `quarantined` from here on; destroying it is what is left to do.
  void quarantine_block(BlockId block, std::string_view why);
  // What a director that died on the way to a quarantine left to do.
  void settle_quarantined();

  // Checkpoints of a block with memory of its own; the name is the block's to use once. exists;
  // invalid_argument: no name; too_many: all pins of the block, or all rows, are in use.
  [[nodiscard]] Result<Checkpoint> take_checkpoint(StoredBlock& block, const std::string& name);
  // no_such_checkpoint. What it held is given back in later turns.
  [[nodiscard]] Result<void> release_checkpoint(StoredBlock& block, std::string_view name);
  // Those of an earlier director; pins that no row names are released.
  void adopt_checkpoints();

  // The block of this name that `scope` means. no_such_block.
  [[nodiscard]] Result<StoredBlock*> visible_block(std::string_view name, ScopeId scope);
  // The memory behind a name and the rights on it. no_such_block; denied: no grant.
  struct Reached {
    StoredBlock* block = nullptr;
    sessionblocks::Rights rights = sessionblocks::Rights::none;
  };
  [[nodiscard]] Result<Reached> reach(std::string_view name, ScopeId scope);

  // read_only: read_write was asked for and the grant is "r"; besides what reach() says.
  [[nodiscard]] Result<Opening> open(Worker& worker, std::string_view name, OpenMode mode);
  [[nodiscard]] Result<platform::UniqueFd> readers_of(Worker& worker, unsigned open);
  // Drains the worker's rings first: the index may be used again afterwards.
  void close(Worker& worker, unsigned open);

  // A worker with its segment. no_such_scope: the scope is ending; out_of_memory; too_many.
  [[nodiscard]] Result<Worker*> attach(ScopeId scope, const platform::ProcessIdentity& process,
                                       WorkerId launched_as);
  // The same for a process that was started as `worker` and is in the table already.
  [[nodiscard]] Result<void> attach_started(Worker& worker);
  // The director's own worker segment, with which it works on blocks like a writer; a successor
  // recovers it like any other.
  [[nodiscard]] Result<void> attach_director(const platform::ProcessIdentity& process);
  // Drain, recover, drain, remove. Again does nothing.
  // `skip`: its blocks are gone too, and its threads may still run.
  enum class Recovery : std::uint8_t { full, skip };
  void end_worker(WorkerId worker, std::string_view why, Recovery recovery = Recovery::full);

  // Destroys the blocks of the scope and takes it out of the tree. Its workers and children have
  // ended before.
  void end_scope(ScopeId scope, std::string_view why);

  // Ends blocks whose time has come, keeps memory reserved ahead, cuts segments back that a holder
  // made longer, lets the data plane maintain.
  // Whether anything grew: then it is worth looking again soon.
  bool housekeep();

  // Removes everything that has a name; the system is over.
  void remove_all();

  void say(EventKind kind, std::string subject, std::string detail = {});
  [[nodiscard]] Result<platform::UniqueFd> control_descriptor();
  [[nodiscard]] std::uint64_t control_bytes() const noexcept { return control_file_.bytes(); }

  // The best rights on a block that the scope has through any name; for adoption.
  [[nodiscard]] sessionblocks::Rights rights_through_any_name(const StoredBlock& block,
                                                              ScopeId scope);

  // Called when a worker must stop using a mapping; set by whoever knows the connections.
  std::function<void(const Worker&, unsigned open)> on_unmap;

  RegistryOptions options;

 private:
  Registry(RegistryOptions options, SegmentFile control);
  [[nodiscard]] Result<void> check_name_free(const BlockRequest& request);
  [[nodiscard]] Result<void> give_segment(Worker& worker, std::uint64_t ring_records);
  bool maintain(StoredBlock& block, Worker& own);
  [[nodiscard]] std::optional<BlockMemory> memory_of(const OpenedBlock& opened);
  void recover(Worker& worker, const std::string& text);
  void forget_retired();
  void settle(const StoredBlock& block, const std::string& text);
  // registry_damage.cpp
  void hear_of_damage();
  [[nodiscard]] bool examine(StoredBlock& block);
  // registry_checkpoints.cpp
  [[nodiscard]] Result<void> keep_checkpoints(const StoredBlock& block);
  void forget_checkpoints(StoredBlock& block) noexcept;
  void cut_back(const SegmentFile& segment, const std::string& whose);

  WorkerId own_worker_{};
  SegmentFile control_file_;
  std::vector<StoredBlock> retired_;  // destroyed, still open somewhere

 public:
  platform::OpenerThread opener;
  ControlDirectory control;
  ScopeTree scopes;
  BlockStore blocks;
  WorkerTable workers;
};

}  // namespace sessionblocks::director
