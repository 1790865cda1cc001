// Workers: the processes that are attached, or started and not attached yet, and what each has
// open. Plain bookkeeping with a mirror in control; it makes no decision and recovers nothing.
//
// States: starting (a process that the director started) -> attached (has a worker segment) ->
// dead -> recovered -> gone. A process that attaches twice is two workers.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <sessionblocks/error.hpp>
#include <vector>

#include "director/control_directory.hpp"
#include "director/data_plane.hpp"
#include "director/segment_file.hpp"
#include "layout/worker.hpp"

namespace sessionblocks::director {

struct OpenedBlock {
  BlockId block{};
  Generation generation{};
  sessionblocks::Rights rights = sessionblocks::Rights::none;
  bool unmap_sent = false;
};

struct Worker {
  WorkerId id{};
  ScopeId scope{};
  platform::ProcessIdentity process;
  WorkerState state = WorkerState::starting;
  WorkerId launched_as{};  // the started process whose token it came with; itself if it is that
  std::uint32_t row = 0;
  std::uint64_t ring_records = 0;
  std::uint64_t damage_seen = 0;       // as the worker's segment said when we last looked
  bool is_director = false;            // the director's own lane, with which it maintains blocks
  std::optional<SegmentFile> segment;  // from attach on
  // By open index. An index rests in `free_opens` as long as possible before it is used again.
  std::map<unsigned, OpenedBlock> opens;
  std::deque<unsigned> free_opens;

  [[nodiscard]] WorkerMemory memory() const noexcept;
  [[nodiscard]] layout::WorkerHeader* header() const noexcept;
  [[nodiscard]] bool has_detached() const noexcept;  // as it says itself
  [[nodiscard]] OpenedBlock* open_at(std::uint64_t open) noexcept;
};

class WorkerTable {
 public:
  explicit WorkerTable(ControlDirectory& control) noexcept : control_(&control) {}

  // too_many. `worker.id` was counted in control; row and lists are filled in here.
  [[nodiscard]] Result<Worker*> add(Worker worker);
  // One of an earlier director, whose row stands.
  Worker& adopt(Worker worker);
  void set_state(Worker& worker, WorkerState state) noexcept;
  // Withdraws the row and forgets it.
  void remove(WorkerId worker) noexcept;

  // The index that records will name. too_many: layout::kOpens blocks are open.
  [[nodiscard]] Result<unsigned> add_open(Worker& worker, const OpenedBlock& opened);
  // Only once its records were drained.
  void remove_open(Worker& worker, unsigned open) noexcept;

  [[nodiscard]] Worker* find(WorkerId worker) noexcept;
  [[nodiscard]] std::map<WorkerId, Worker>& all() noexcept { return workers_; }
  [[nodiscard]] const std::map<WorkerId, Worker>& all() const noexcept { return workers_; }
  [[nodiscard]] std::vector<WorkerId> in_scope(ScopeId scope) const;
  [[nodiscard]] std::vector<WorkerId> of_process(pid_t pid) const;
  // Who has it open read-write.
  [[nodiscard]] std::vector<Holder> holders(BlockId block, Generation generation) const;
  [[nodiscard]] bool has_open(BlockId block, Generation generation) const noexcept;

 private:
  ControlDirectory* control_;
  std::map<WorkerId, Worker> workers_;
};

}  // namespace sessionblocks::director
