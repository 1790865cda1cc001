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

#include "datablock/store.hpp"
#include "director/block_states.hpp"
#include "director/forks.hpp"
#include "director/generations.hpp"
#include "director/holdings.hpp"
#include "director/operator_key.hpp"
#include "director/reference_rows.hpp"
#include "director/registry_terms.hpp"
#include "director/revocations.hpp"
#include "director/scope_tree.hpp"
#include "director/snapshots.hpp"
#include "director/state_folder.hpp"
#include "director/transitions.hpp"
#include "director/turns.hpp"
#include "director/worker_table.hpp"

namespace sessionblocks::director {

class Registry {
 public:
  // A new system: control made and reserved. Errors leave no segment.
  [[nodiscard]] static Result<std::unique_ptr<Registry>> create(RegistryOptions options);
  // Over the control segment of an earlier director; adoption.hpp fills in the rest.
  // What make_audit says otherwise.
  [[nodiscard]] static Result<std::unique_ptr<Registry>> over(RegistryOptions options,
                                                              SegmentFile control);

  // The audit reads workers' segments to its end, so it ends before they are unmapped.
  ~Registry() {
    transitions.note_left_out(true);
    options.audit.reset();
  }
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // exists: the name is taken where the owner could see it; no_such_scope; out_of_memory: a budget;
  // what BlockStore::create says.
  [[nodiscard]] Result<BlockId> create_block(const BlockRequest& request);
  // The same of a block that has these entries when anybody first sees it; what the source says.
  [[nodiscard]] Result<BlockId> create_filled(const BlockRequest& request,
                                              const EntrySource& source);
  // Those of the requests whose owner has no block of that name yet.
  [[nodiscard]] Result<void> create_missing(const std::vector<BlockRequest>& requests);
  // Handles answer `gone` from here on; whoever has it open is told to unmap it.
  void destroy_block(BlockId block, std::string_view why);
  // Its scope, its lifespan or its idle time is over: destroyed, or what its at_end says instead.
  void end_of_life(BlockId block, std::string_view why);
  // What a director that died on the way left to do. Again does nothing more.
  void finish_hand_overs();
  // Damage was found.
  void quarantine_block(BlockId block, std::string_view why);

  // Checkpoints of a block with memory of its own; the name is the block's to use once. exists;
  // invalid_argument: no name; too_many: all pins of the block, or all rows, are in use.
  [[nodiscard]] Result<Checkpoint> take_checkpoint(StoredBlock& block, const std::string& name);
  // no_such_checkpoint. What it held is given back in later turns.
  [[nodiscard]] Result<void> release_checkpoint(StoredBlock& block, std::string_view name);
  // Those of an earlier director; pins that no row names are released.
  void adopt_checkpoints();

  // Snapshots (snapshots.hpp, registry_snapshots.cpp). not_permitted: the block's permit lacks
  // "persist"; exists: the path is taken; quarantined, wiped; what Writer and KeyFile say.
  [[nodiscard]] Result<SnapshotMade> snapshot_block(StoredBlock& block,
                                                    const std::filesystem::path& path);
  // The same of all that permit it, at one instant where that can be had.
  [[nodiscard]] Result<SnapshotMade> snapshot_scope(const Scope& scope,
                                                    const std::filesystem::path& path);
  // What create_block says; corrupt: something is damaged and `takes_damaged` is not set; wiped,
  // denied: no key.
  [[nodiscard]] Result<Restored> restore(snapshot::Reader& file, std::size_t index,
                                         const RestoreRequest& request);

  // DataBlocks (registry_elevation.cpp). As snapshots, with the permit "elevate", and what Store
  // says.
  // `unless_kept`: when the youngest DataBlock of its line has these entries, it is that one.
  enum class Elevation : std::uint8_t { always, unless_kept };
  [[nodiscard]] Result<datablock::DataBlock> elevate(StoredBlock& block,
                                                     Elevation when = Elevation::always);
  [[nodiscard]] Result<Restored> load(datablock::Store& store, const datablock::DataBlock& from,
                                      const RestoreRequest& request);

  // The block of this name that `scope` means: of those that its flow block, its worker slot and
  // its script own, the nearest on the way up; else another scope's, one that was handed over after
  // one that was not. no_such_block.
  [[nodiscard]] Result<StoredBlock*> visible_block(std::string_view name, ScopeId scope);
  // The memory behind a name and the rights on it. no_such_block; denied: no grant.
  struct Reached {
    StoredBlock* block = nullptr;
    sessionblocks::Rights rights = sessionblocks::Rights::none;
  };
  [[nodiscard]] Result<Reached> reach(std::string_view name, ScopeId scope);

  // As `scope`, which is the worker's own or a flow block of it. read_only: read_write was asked
  // for and the grant is "r"; besides what reach() says.
  [[nodiscard]] Result<Opening> open(Worker& worker, ScopeId scope, std::string_view name,
                                     OpenMode mode);
  [[nodiscard]] Result<platform::UniqueFd> readers_of(Worker& worker, unsigned open);
  // Drains the worker's rings first: the index may be used again afterwards.
  void close(Worker& worker, unsigned open);

  // The same block as a worker's open of an earlier generation, or of fewer rights, as it is now.
  // gone; denied: the rights were taken away; what its state says.
  [[nodiscard]] Result<Opening> reopen(Worker& worker, unsigned open, OpenMode mode);

  // References (registry_references.cpp): the worker's open is made into a text that a worker of
  // `audience`, or of any scope, makes an open of again.
  struct Sharing {
    sessionblocks::Rights rights = sessionblocks::Rights::read;
    std::string audience;  // a path, or kAnyScope
    std::uint64_t lifetime_ms = 0;
    bool is_single_use = false;
  };
  // not_permitted: the block's permit lacks "share"; denied, read_only: the worker's scope may not
  // open it so; no_such_scope: the audience; invalid_argument: the lifetime; gone; quarantined.
  [[nodiscard]] Result<std::string> share(Worker& worker, unsigned open, const Sharing& sharing,
                                          const ReferenceKey& key);
  // What ReferenceKey::read and redeemable() say; too_many: nothing was used up.
  [[nodiscard]] Result<Opening> redeem(Worker& worker, std::string_view text,
                                       const ReferenceKey& key);
  // The block that it opens now; `by` none: whoever its audience is. reference_wrong_audience,
  // _expired, _revoked (its issuer has ended or lost these rights), _used; gone; quarantined.
  [[nodiscard]] Result<StoredBlock*> redeemable(const Reference& reference,
                                                std::optional<ScopeId> by);

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

  // A flow block of the worker below `parent`, with the blocks that `blocks_of` names for it. Asked
  // for again by the same entry, what is there is completed. exists: the path is taken; gone:
  // `parent` is not the worker's; too_many: kMaxFlowDepth, kMaxFlowsOfWorker or
  // kMaxFlowPathBytes; what create_block says, and then nothing is left.
  using BlocksOfFlow = std::function<std::vector<BlockRequest>(const Scope& flow)>;
  [[nodiscard]] Result<ScopeId> enter_flow(const FlowEntry& entered, ScopeId parent,
                                           std::string_view name, const BlocksOfFlow& blocks_of);
  // Its blocks are destroyed, those of flow blocks below it first. Again does nothing.
  void end_flow(ScopeId flow, std::string_view why);
  // Flow blocks that an earlier director was ending, or whose worker has ended; for adoption.
  void end_abandoned_flows();

  // Ends blocks whose time has come. Looks after those that changed, and after some of the others:
  // examines them, keeps memory reserved ahead, cuts segments back that a holder made longer, lets
  // the data plane maintain.
  // Whether anything grew: then it is worth looking again soon.
  bool housekeep();

  // The system is over. Blocks that are left are kept as their at_end says ("snapshot", "elevate";
  // there is no heir), then all is removed.
  void end_system();
  // Removes everything that has a name, and keeps nothing.
  void remove_all();

  // To whom it may concern: RegistryOptions::guard.
  void acted(Act act, ScopeId scope, BlockId block = {});
  // transitions.hpp.
  void say(EventKind kind, Subject subject, std::string detail = {}) {
    transitions.say(kind, std::move(subject), std::move(detail));
  }
  [[nodiscard]] Transitions::Begun begin(EventKind kind, Subject subject, std::string detail = {}) {
    return transitions.begin(kind, std::move(subject), std::move(detail));
  }
  [[nodiscard]] Result<platform::UniqueFd> control_descriptor();
  [[nodiscard]] std::uint64_t control_bytes() const noexcept { return control_file_.bytes(); }

  // The best rights on a block that the worker has through any name, also in a flow block.
  [[nodiscard]] sessionblocks::Rights rights_through_any_name(const StoredBlock& block,
                                                              const Worker& worker);
  // The same of one scope.
  [[nodiscard]] sessionblocks::Rights rights_through_any_name(const StoredBlock& block,
                                                              ScopeId scope);
  // What was not revoked from the scope.
  [[nodiscard]] sessionblocks::Rights rights_left(const StoredBlock& block, ScopeId scope) const {
    return director::rights_left(block.revocations, scope, scopes);
  }
  // What an open of the block may be used for now: by the grants, or by the reference it came from.
  [[nodiscard]] sessionblocks::Rights rights_of_open(const StoredBlock& block, const Worker& worker,
                                                     unsigned open);
  // The most that revocations have left to it.
  [[nodiscard]] sessionblocks::Rights rights_kept(const StoredBlock& block, const Worker& worker,
                                                  unsigned open) {
    return block.revocations.empty() ? sessionblocks::Rights::read_write
                                     : rights_of_open(block, worker, open);
  }
  // The most that any worker or open of the process may do now.
  [[nodiscard]] sessionblocks::Rights rights_of_process(const StoredBlock& block,
                                                        const platform::ProcessIdentity& process);

  // What the transitions are made of (generations.hpp, block_states.hpp, forks.hpp).
  // What create_block says before anything is made; what it does afterwards.
  [[nodiscard]] Result<void> check_creation(const BlockRequest& request);
  [[nodiscard]] Result<void> check_values(const BlockRequest& request) const;
  void announce(BlockId made, const BlockRequest& request);
  // None: it was not attached yet.
  [[nodiscard]] Worker* own_lane() noexcept { return workers.find(own_worker_); }
  // Nothing that began before can commit after this. What DataPlane::settle says.
  Result<void> settle(const StoredBlock& block, const std::string& text);
  void ask_to_unmap(BlockId block, Generation generation);
  // Whoever has more of it open than is allowed now. Their workers.
  std::vector<WorkerId> ask_losers_to_unmap(const StoredBlock& block);
  // Of earlier generations of it that somebody has open still: no byte is left.
  void empty_retired(BlockId block);
  // Kept until nobody has it open: what a worker left there is recovered there.
  void retire(StoredBlock old);
  // Entries into a block that nobody can know of yet. invalid_argument: no lane; out_of_memory.
  [[nodiscard]] Result<FillPlace> fill_place(const StoredBlock& block);
  // `like`: about as many as that block has; null: nobody knows.
  [[nodiscard]] Result<void> fill(StoredBlock& block, const EntrySource& source,
                                  const BlockMemory* like = nullptr);
  [[nodiscard]] Moment moment_of(const Checkpoint& checkpoint);
  void forget_checkpoints(StoredBlock& block) noexcept;
  // Of its snapshots and its logged values: none can be read any more.
  Result<void> remove_key(const StoredBlock& block);

  // The log keeps its values from here on, if it logs any (registry_values.cpp).
  [[nodiscard]] Result<void> keep_values(const StoredBlock& block);
  void keep_values_or_say(const StoredBlock& block);

  // Called when a worker must stop using a mapping; set by whoever knows the connections.
  std::function<void(const Worker&, unsigned open)> on_unmap;

  RegistryOptions options;
  // What examining suspect blocks has taken of the event loop's time, so far.
  std::uint64_t examined_ns = 0;
  Transitions transitions{options.events, options.audit};

 private:
  Registry(RegistryOptions options, SegmentFile control);
  [[nodiscard]] Result<void> check_name_free(const BlockRequest& request);
  [[nodiscard]] Result<void> check_budgets(const BlockRequest& request);  // registry_budgets.cpp
  // registry_elevation.cpp
  [[nodiscard]] Result<BlockId> create_loaded(const BlockRequest& request);
  void say_loaded(BlockId id, const datablock::DataBlock& from, const Restored& loaded);
  // registry_snapshots.cpp
  [[nodiscard]] Result<SnapshotMade> snapshot(SnapshotPlan plan);
  [[nodiscard]] Result<SnapshotMade> write_snapshot(const SnapshotPlan& plan);
  [[nodiscard]] Result<Instants> pin_together(std::span<StoredBlock* const> together);
  void unpin(std::span<StoredBlock* const> together);
  [[nodiscard]] StateFolder state() const { return StateFolder(options.paths.state()); }
  [[nodiscard]] snapshot::BlockDescription describe(const StoredBlock& block, std::uint64_t instant,
                                                    std::uint64_t taken_unix_ms);
  [[nodiscard]] Result<void> give_segment(Worker& worker, std::uint64_t ring_records);
  struct OpenedAs {
    ScopeId scope{};
    const Reference* through = nullptr;  // redeemed for it
    ScopeId issuer{};                    // of that one, or of the one it goes back to
  };
  [[nodiscard]] Result<Opening> open_block(Worker& worker, const StoredBlock& block,
                                           sessionblocks::Rights rights, const OpenedAs& as);
  [[nodiscard]] sessionblocks::Rights redeemed_rights(const StoredBlock& block,
                                                      const Worker& worker, unsigned open);
  [[nodiscard]] Result<Reference> make_reference(Worker& worker, unsigned open,
                                                 const Sharing& sharing);
  [[nodiscard]] Result<void> mark_used(const Reference& reference);
  [[nodiscard]] std::optional<BlockMemory> memory_of(const OpenedBlock& opened);
  void recover(Worker& worker, const Subject& subject);
  void forget_retired();
  [[nodiscard]] Result<void> check_flow_limits(const Scope& parent, const FlowEntry& entered,
                                               std::string_view name) const;
  // registry_lifespan.cpp
  [[nodiscard]] const Scope* heir_of(const StoredBlock& block) const;
  void name_heir(StoredBlock& block) noexcept;
  [[nodiscard]] bool pass_to_heir(StoredBlock& block, std::string_view why);
  void hand_over(StoredBlock& block, ScopeId heir, std::string_view why);
  void keep(StoredBlock& block);
  [[nodiscard]] bool join(StoredBlock& block, std::string_view why);
  void say_lost(const StoredBlock& block, const std::string& why);
  [[nodiscard]] ScriptRights grants_of_created(const StoredBlock& block) const;
  [[nodiscard]] bool revoke_beyond_grants(StoredBlock& block);
  // registry_idle.cpp
  [[nodiscard]] bool was_used(StoredBlock& block);
  [[nodiscard]] bool drain_users(const StoredBlock& block);
  [[nodiscard]] bool has_idled_away(StoredBlock& block, std::uint64_t now_ms);
  // registry_damage.cpp
  void hear_of_damage();
  [[nodiscard]] bool examine(StoredBlock& block);
  // registry_checkpoints.cpp
  [[nodiscard]] Result<void> keep_checkpoints(const StoredBlock& block);
  // registry_housekeep.cpp
  bool look_after(StoredBlock& block);
  bool maintain(StoredBlock& block, Worker& own);
  std::uint64_t cut_back(const SegmentFile& segment, const std::string& whose);
  void restore_mode(StoredBlock& block);

  WorkerId own_worker_{};
  SegmentFile control_file_;
  std::vector<StoredBlock> retired_;  // destroyed, still open somewhere
  Turns block_turns_;
  Turns worker_turns_;

 public:
  platform::OpenerThread opener;
  ControlDirectory control;
  ScopeTree scopes;
  BlockStore blocks;
  WorkerTable workers;
  ReferenceRows references;
  Holdings holdings;
  const SystemInstance instance;
  Forks forks{*this};
  Generations generations{*this};
  BlockStates states{*this};
  Revocations revocations{*this};
};

}  // namespace sessionblocks::director
