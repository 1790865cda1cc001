// Beginnings and ends of workers, ends of scopes and of the whole system.
#include <algorithm>

#include "core/bounds.hpp"
#include "core/crash_point.hpp"
#include "director/registry.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::uint64_t kOwnRingRecords = 16'384;  // of what it fills blocks with

std::string worker_text(const Worker& worker, const ScopeTree& scopes) {
  const Scope* scope = scopes.find(worker.scope);
  return "worker " + std::to_string(raw(worker.id)) + " (" +
         (scope != nullptr ? scope->path : std::string("ended scope")) + ", pid " +
         std::to_string(worker.process.pid) + ")";
}

}  // namespace

// The header and the heads of the lanes are read by us whatever the worker does, so their memory
// must be there; the rings are reserved by whoever uses a lane.
Result<void> Registry::give_segment(Worker& worker, std::uint64_t ring_records) {
  const std::uint64_t bytes = align_up(layout::worker_bytes(ring_records), 4'096);
  auto file =
      SegmentFile::create(options.paths.worker_segment(worker.id), bytes, options.naming, opener);
  if (!file) return tl::unexpected(file.error());
  // CRASH(worker.segment): a segment that its row does not count; adoption removes it.
  SESSIONBLOCKS_CRASH("worker.segment");
  auto made = file->reserve(0, 4'096);
  for (unsigned lane = 0; lane < layout::kLanes && made; ++lane) {
    made = file->reserve(layout::lane_at(lane, ring_records), layout::kLaneHeadBytes);
  }
  if (made) made = options.data_plane->format_worker({worker.id, file->memory(), ring_records});
  if (!made) {
    file->unlink();
    return made;
  }
  worker.segment = std::move(*file);
  worker.ring_records = ring_records;
  control.worker(worker.row).ring_records = ring_records;
  // CRASH(worker.formatted): a whole segment of a worker that has not attached; adoption removes
  // it.
  SESSIONBLOCKS_CRASH("worker.formatted");
  return {};
}

Result<void> Registry::attach_director(const platform::ProcessIdentity& process) {
  const auto id = control.next_worker_id();
  if (!id) return tl::unexpected(id.error());
  Worker worker;
  worker.id = *id;
  worker.scope = scopes.root().id;
  worker.process = process;
  worker.launched_as = *id;
  worker.is_director = true;
  auto added = workers.add(std::move(worker));
  if (!added) return tl::unexpected(added.error());
  if (auto given = give_segment(**added, kOwnRingRecords); !given) {
    workers.remove(*id);
    return given;
  }
  (*added)->header()->lanes_used.store(1, std::memory_order_release);
  workers.set_state(**added, WorkerState::attached);
  options.audit->worker_added((*added)->memory(), scopes.root().path);
  own_worker_ = *id;
  return {};
}

Result<Worker*> Registry::attach(ScopeId scope, const platform::ProcessIdentity& process,
                                 WorkerId launched_as) {
  const Scope* found = scopes.find(scope);
  if (found == nullptr || found->is_ending) {
    return fail(Errc::no_such_scope, "attach: the scope has ended");
  }
  const auto id = control.next_worker_id();
  if (!id) return tl::unexpected(id.error());
  Worker worker;
  worker.id = *id;
  worker.scope = scope;
  worker.process = process;
  worker.state = WorkerState::attaching;
  worker.launched_as = launched_as == WorkerId{} ? *id : launched_as;
  auto added = workers.add(std::move(worker));
  if (!added) return added;
  if (auto attached = attach_started(**added); !attached) {
    workers.remove(*id);
    return tl::unexpected(attached.error());
  }
  return added;
}

Result<void> Registry::attach_started(Worker& worker) {
  const Subject subject(worker_text(worker, scopes), worker.id);
  const auto begun = begin(EventKind::attached, subject);
  if (auto given = give_segment(worker, options.ring_records); !given) return given;
  workers.set_state(worker, WorkerState::attached);
  // CRASH(worker.attached): attached, and neither log nor worker know; adoption tells the log, and
  // a worker that asks again gets another segment.
  SESSIONBLOCKS_CRASH("worker.attached");
  options.audit->worker_added(worker.memory(), scopes.find(worker.scope)->path);
  say(EventKind::attached, subject);
  return {};
}

std::optional<BlockMemory> Registry::memory_of(const OpenedBlock& opened) {
  if (const StoredBlock* block = blocks.find(opened.block);
      block != nullptr && block->generation == opened.generation) {
    return block->memory();
  }
  for (const StoredBlock& block : retired_) {
    if (block.id == opened.block && block.generation == opened.generation) return block.memory();
  }
  return std::nullopt;
}

void Registry::end_worker(WorkerId id, std::string_view why, Recovery recovery) {
  Worker* worker = workers.find(id);
  if (worker == nullptr) return;
  const Subject subject(worker_text(*worker, scopes), id);
  // Asked once: it can change its mind.
  const bool has_detached = worker->segment && worker->has_detached();
  const EventKind how = has_detached ? EventKind::detached : EventKind::died;
  // The director's own lane ends with it; that is no worker's death.
  std::optional<Transitions::Begun> begun;
  const bool is_told = worker->segment && !worker->is_director;
  if (is_told) begun.emplace(begin(how, subject, std::string(why)));
  workers.set_state(*worker, WorkerState::dead);
  // CRASH(worker.dead): adoption finds the row and recovers it again from here.
  SESSIONBLOCKS_CRASH("worker.dead");
  if (worker->segment) {
    if (is_told) say(how, subject, std::string(why));
    hear_of_damage();  // what it saw last
    options.audit->drain_fully(id);
    // CRASH(worker.drained): as worker.dead, with a ring that is empty.
    SESSIONBLOCKS_CRASH("worker.drained");
    if (recovery == Recovery::full) {
      recover(*worker, subject);
      // CRASH(worker.repaired): its last record may be in the ring only; adoption drains it.
      SESSIONBLOCKS_CRASH("worker.repaired");
      options.audit->drain_fully(id);
    }
    options.audit->worker_removed(id);
    // CRASH(worker.logged): the log has all of it; adoption recovers and drains nothing.
    SESSIONBLOCKS_CRASH("worker.logged");
    workers.set_state(*worker, WorkerState::recovered);
    // CRASH(worker.recovered): only names and the row are left to remove.
    SESSIONBLOCKS_CRASH("worker.recovered");
    worker->segment->unlink();
    // CRASH(worker.unlinked): a row without a name; adoption withdraws it.
    SESSIONBLOCKS_CRASH("worker.unlinked");
  }
  references.forget_worker(id);
  const platform::ProcessIdentity process = worker->process;
  for (const ScopeId flow : scopes.flows_of(id)) end_flow(flow, "its worker has ended");
  workers.remove(id);
  // One that detached may have mapped what it was given as long as it lives.
  if (!process.alive()) holdings.forget_process(process);
  forget_retired();
}

void Registry::recover(Worker& worker, const Subject& subject) {
  const auto begun = begin(EventKind::recovered, subject);
  std::vector<WorkerOpen> opens;
  for (const auto& [open, opened] : worker.opens) {
    opens.push_back({open, opened.rights, memory_of(opened).value_or(BlockMemory{})});
  }
  for (const auto& [id, block] : blocks.all()) {
    // A director works on every block in turn, and may own pages in each.
    if (!worker.is_director || !block.segment) continue;
    opens.push_back({kNoOpen, sessionblocks::Rights::read_write, block.memory()});
  }
  const RecoveryReport report = options.data_plane->recover(worker.memory(), opens);
  if (report.refused != 0) {
    say(EventKind::forged, subject,
        std::to_string(report.refused) +
            " operations in flight that its blocks contradict; nothing was done for them");
    if (options.guard != nullptr) options.guard->intent_forged(worker.id);
    for (const WorkerOpen& open : opens) {
      StoredBlock* block = blocks.find(open.memory.id);
      if (block != nullptr) block->is_suspect = true;
    }
  }
  if (report.committed + report.undone == 0 && (worker.has_detached() || worker.is_director)) {
    return;
  }
  say(EventKind::recovered, subject,
      std::to_string(report.committed) + " in flight had committed, " +
          std::to_string(report.undone) + " had not");
}

void Registry::end_scope(ScopeId scope, std::string_view why) {
  const Scope* found = scopes.find(scope);
  if (found == nullptr) return;
  const std::string path = found->path;
  const auto begun = begin(EventKind::ended, "scope " + path, std::string(why));
  scopes.mark_ending(scope);
  // CRASH(scope.ending): adoption ends what is marked, children first.
  SESSIONBLOCKS_CRASH("scope.ending");
  std::vector<BlockId> owned;
  for (const auto& [id, block] : blocks.all()) {
    if (block.policy.owner == scope) owned.push_back(id);
  }
  for (const BlockId id : owned) end_of_life(id, "its scope " + path + " has ended");
  references.move_issuer(scope, found->parent);
  holdings.move_scope(scope, found->parent);
  // CRASH(scope.emptied): a marked scope without blocks; adoption goes on here.
  SESSIONBLOCKS_CRASH("scope.emptied");
  scopes.remove(scope);
  // CRASH(scope.withdrawn): all done.
  SESSIONBLOCKS_CRASH("scope.withdrawn");
  say(EventKind::ended, "scope " + path, std::string(why));
}

void Registry::remove_all() {
  std::vector<BlockId> every;
  for (const auto& [id, block] : blocks.all()) every.push_back(id);
  for (const BlockId block : every) destroy_block(block, "the system stops");
  // CRASH(stop.blocks): scopes and workers of a system without blocks; adoption removes them when
  // nobody lives.
  SESSIONBLOCKS_CRASH("stop.blocks");
  while (!workers.all().empty()) {
    end_worker(workers.all().begin()->first, "the system stops", Recovery::skip);
  }
  if (scopes.has_root()) {
    for (const ScopeId scope : scopes.subtree(scopes.root().id)) {
      end_scope(scope, "the system stops");
    }
  }
  // CRASH(stop.emptied): a control segment without rows; the next director removes it.
  SESSIONBLOCKS_CRASH("stop.emptied");
  control.mark_stopped();
  // CRASH(stop.marked): the same, and it says so.
  SESSIONBLOCKS_CRASH("stop.marked");
  control_file_.unlink();
}

}  // namespace sessionblocks::director
