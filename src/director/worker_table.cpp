#include "director/worker_table.hpp"

#include "core/crash_point.hpp"

namespace sessionblocks::director {

WorkerMemory Worker::memory() const noexcept {
  return {id, segment ? segment->memory() : std::span<std::byte>(), ring_records};
}

layout::WorkerHeader* Worker::header() const noexcept {
  return segment ? reinterpret_cast<layout::WorkerHeader*>(segment->memory().data()) : nullptr;
}

bool Worker::has_detached() const noexcept {
  return segment && header()->finished.load(std::memory_order_acquire) == 1;
}

OpenedBlock* Worker::open_at(std::uint64_t open) noexcept {
  const auto found = open < layout::kOpens ? opens.find(static_cast<unsigned>(open)) : opens.end();
  return found == opens.end() ? nullptr : &found->second;
}

Result<Worker*> WorkerTable::add(Worker worker) {
  const auto row = control_->publish(WorkerRowFields{.id = worker.id,
                                                     .scope = worker.scope,
                                                     .pid = worker.process.pid,
                                                     .start_ticks = worker.process.start_ticks,
                                                     .state = worker.state,
                                                     .ring_records = worker.ring_records});
  if (!row) return tl::unexpected(row.error());
  // CRASH(worker.row): a row without a segment; adoption keeps it for a started process, which may
  // attach by it, and withdraws any other.
  SESSIONBLOCKS_CRASH("worker.row");
  worker.row = *row;
  return &adopt(std::move(worker));
}

Worker& WorkerTable::adopt(Worker worker) {
  for (unsigned open = 0; open < layout::kOpens; ++open) {
    if (!worker.opens.contains(open)) worker.free_opens.push_back(open);
  }
  const WorkerId id = worker.id;
  return workers_.insert_or_assign(id, std::move(worker)).first->second;
}

void WorkerTable::set_state(Worker& worker, WorkerState state) noexcept {
  worker.state = state;
  control_->set_worker_state(worker.row, state);
}

void WorkerTable::remove(WorkerId worker) noexcept {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return;
  control_->withdraw_worker(found->second.row);
  // CRASH(worker.withdrawn): all done but what its scope does about it.
  SESSIONBLOCKS_CRASH("worker.withdrawn");
  workers_.erase(found);
}

Result<unsigned> WorkerTable::add_open(Worker& worker, const OpenedBlock& opened) {
  if (worker.free_opens.empty()) {
    return fail(Errc::too_many, "open: " + std::to_string(layout::kOpens) + " blocks are open");
  }
  const unsigned open = worker.free_opens.front();
  worker.free_opens.pop_front();
  worker.opens[open] = opened;
  // For inspectors; the worker can write here, so nothing of ours is decided by it.
  const std::uint64_t word = (std::uint64_t{raw(opened.generation)} << 32U) | raw(opened.block);
  worker.header()->opens[open].store(word, std::memory_order_release);
  return open;
}

void WorkerTable::remove_open(Worker& worker, unsigned open) noexcept {
  worker.opens.erase(open);
  worker.header()->opens[open].store(0, std::memory_order_release);
  worker.free_opens.push_back(open);
}

Worker* WorkerTable::find(WorkerId worker) noexcept {
  const auto found = workers_.find(worker);
  return found == workers_.end() ? nullptr : &found->second;
}

std::vector<WorkerId> WorkerTable::in_scope(ScopeId scope) const {
  std::vector<WorkerId> found;
  for (const auto& [id, worker] : workers_) {
    if (worker.scope == scope) found.push_back(id);
  }
  return found;
}

std::vector<WorkerId> WorkerTable::of_process(pid_t pid) const {
  std::vector<WorkerId> found;
  for (const auto& [id, worker] : workers_) {
    if (worker.process.pid == pid) found.push_back(id);
  }
  return found;
}

std::vector<Holder> WorkerTable::holders(BlockId block, Generation generation) const {
  std::vector<Holder> found;
  for (const auto& [id, worker] : workers_) {
    if (!worker.segment) continue;
    for (const auto& [open, opened] : worker.opens) {
      if (opened.block == block && opened.generation == generation &&
          opened.rights == sessionblocks::Rights::read_write) {
        found.push_back({worker.memory(), open});
      }
    }
  }
  return found;
}

bool WorkerTable::has_open(BlockId block, Generation generation) const noexcept {
  for (const auto& [id, worker] : workers_) {
    for (const auto& [open, opened] : worker.opens) {
      if (opened.block == block && opened.generation == generation) return true;
    }
  }
  return false;
}

}  // namespace sessionblocks::director
