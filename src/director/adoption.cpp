#include "director/adoption.hpp"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "core/crash_point.hpp"
#include "director/declared_blocks.hpp"
#include "director/process_group.hpp"
#include "layout/layout_hash.hpp"
#include "platform/descriptors.hpp"
#include "platform/file_lock.hpp"
#include "platform/process.hpp"
#include "platform/shared_segment.hpp"

namespace sessionblocks::director {
namespace {

using platform::ProcessIdentity;
using platform::SharedSegment;

void unlink_all(const std::string& prefix, const std::set<std::string>& keep = {}) {
  const auto names = SharedSegment::list(prefix);
  if (!names) return;
  for (const std::string& name : *names) {
    if (!keep.contains(name)) static_cast<void>(SharedSegment::unlink(name));
  }
}

// What processes that live have mapped of what nobody shall see any more.
void empty_all(const std::string& prefix, const std::set<std::string>& keep) {
  const auto names = SharedSegment::list(prefix);
  if (!names) return;
  for (const std::string& name : *names) {
    if (keep.contains(name)) continue;
    if (auto segment = SegmentFile::adopt(name)) static_cast<void>(segment->discard());
  }
}

const layout::ControlSegment& control_in(const SegmentFile& file) {
  return *reinterpret_cast<const layout::ControlSegment*>(file.memory().data());
}

// Whether the segment's pids mean anything here and now.
bool is_of_this_time(const layout::ControlHeader& header) {
  const auto boot = platform::boot_id();
  const auto space = platform::pid_namespace();
  return boot && space && std::memcmp(boot->data(), header.boot_id, sizeof header.boot_id) == 0 &&
         *space == header.pid_namespace;
}

enum class Found : std::uint8_t { nothing, unusable, other_layout, usable };

Found judge(const SegmentFile& file) {
  if (file.bytes() < sizeof(layout::Identity)) return Found::unusable;
  layout::Identity identity{};
  std::memcpy(&identity, file.memory().data(), sizeof identity);
  if (identity.magic != static_cast<std::uint64_t>(layout::Magic::control)) return Found::unusable;
  const bool same = identity.layout_hash == layout::layout_hash() &&
                    file.bytes() == sizeof(layout::ControlSegment);
  if (!same) return Found::other_layout;
  const auto& header = control_in(file).header;
  const bool ended = header.stopped.load(std::memory_order_acquire) == 1;
  return ended || !is_of_this_time(header) ? Found::unusable : Found::usable;
}

ProcessIdentity process_of(const layout::WorkerRow& row, const layout::ControlHeader& header) {
  ProcessIdentity process;
  process.pid = row.pid;
  process.start_ticks = row.start_ticks;
  std::memcpy(process.boot.data(), header.boot_id, sizeof header.boot_id);
  return process;
}

bool any_worker_lives(const layout::ControlSegment& control) {
  return std::any_of(std::begin(control.workers), std::end(control.workers), [&](const auto& row) {
    const bool is_director = static_cast<std::uint32_t>(row.pid) == control.header.director_pid &&
                             row.start_ticks == control.header.director_start_ticks;
    return row.id.load(std::memory_order_acquire) != 0 && !is_director &&
           process_of(row, control.header).alive();
  });
}

// Blocks that are to outlive their scope: only their own director, when it starts again, can see to
// that.
bool has_blocks_to_keep(const layout::ControlSegment& control) {
  return std::any_of(std::begin(control.blocks), std::end(control.blocks), [](const auto& row) {
    const auto at_end = static_cast<sessionblocks::AtEnd>(
        (row.policy.load(std::memory_order_acquire) >> 32U) & 0xFFU);
    return row.life.load(std::memory_order_acquire) != 0 &&
           (at_end == sessionblocks::AtEnd::elevate || at_end == sessionblocks::AtEnd::snapshot);
  });
}

// Whether the director that control names lives. One that has not put its name in yet may.
bool may_have_director(const layout::ControlHeader& header) {
  if (!is_of_this_time(header)) return header.director_pid == 0;
  ProcessIdentity director;
  director.pid = static_cast<pid_t>(header.director_pid);
  director.start_ticks = header.director_start_ticks;
  std::memcpy(director.boot.data(), header.boot_id, sizeof header.boot_id);
  return director.pid == 0 || director.alive();
}

// Counted before anything is touched: a block or worker whose segment cannot be opened would look
// like one that is damaged or dead.
Result<void> check_descriptors(const layout::ControlSegment& control) {
  constexpr std::uint64_t kOfDirector = 48;  // logs, socket, clients that come first
  constexpr std::uint64_t kOfBlock = 2;      // block, readers
  constexpr std::uint64_t kOfWorker = 4;     // segment, pidfds of attachment and slot, connection
  const auto is_used = [](const auto& row) { return row.id.load(std::memory_order_acquire) != 0; };
  const auto blocks =
      std::count_if(std::begin(control.blocks), std::end(control.blocks),
                    [](const auto& row) { return row.life.load(std::memory_order_acquire) != 0; });
  const auto workers =
      std::count_if(std::begin(control.workers), std::end(control.workers), is_used);
  const std::uint64_t needed = kOfDirector + platform::kSpareDescriptors +
                               kOfBlock * static_cast<std::uint64_t>(blocks) +
                               kOfWorker * static_cast<std::uint64_t>(workers);
  if (needed <= platform::descriptor_limit()) return {};
  return fail(Errc::too_many, "taking over " + std::to_string(blocks) + " blocks and " +
                                  std::to_string(workers) + " workers needs " +
                                  std::to_string(needed) + " descriptors: there are " +
                                  platform::no_descriptors_text());
}

class Adopter {
 public:
  Adopter(Registry& registry, const Suite* suite) : registry_(registry), suite_(suite) {}

  // Whether anybody lives.
  bool run() {
    adopt_scopes();
    if (!is_same_suite()) {
      kill_workers();
      // CRASH(adopt.killed): another suite's system in which nobody lives; the next one removes it.
      SESSIONBLOCKS_CRASH("adopt.killed");
    }
    adopt_blocks();
    registry_.blocks.sweep_sensitive();
    registry_.holdings.keep_if([this](BlockId id, Generation generation) {
      const StoredBlock* block = registry_.blocks.find(id);
      return block != nullptr && block->generation == generation;
    });
    // CRASH(adopt.blocks): what was half done to blocks is done; the rest is as it was.
    SESSIONBLOCKS_CRASH("adopt.blocks");
    adopt_workers();
    registry_.end_abandoned_flows();
    registry_.revocations.adopt();  // now: what workers hold was given before
    // CRASH(adopt.workers): the dead are recovered; what was asked of blocks may be half done.
    SESSIONBLOCKS_CRASH("adopt.workers");
    registry_.states.finish();
    registry_.revocations.finish();
    registry_.finish_hand_overs();
    if (registry_.workers.all().empty() || !registry_.scopes.has_root()) return false;
    // CRASH(adopt.settled): names without rows; the next adoption removes them.
    SESSIONBLOCKS_CRASH("adopt.settled");
    remove_orphans();
    return true;
  }

 private:
  void adopt_scopes() {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> order;  // id, row: parents are older
    for (std::uint32_t row = 0; row < layout::kScopeRows; ++row) {
      const std::uint32_t id = registry_.control.scope(row).id.load(std::memory_order_acquire);
      if (id != 0) order.emplace_back(id, row);
    }
    std::sort(order.begin(), order.end());
    for (const auto& [id, row] : order) {
      if (!registry_.scopes.adopt(row)) registry_.control.withdraw_scope(row);
    }
  }

  [[nodiscard]] bool is_same_suite() const {
    const ScopeTree& scopes = registry_.scopes;
    return scopes.has_root() && (suite_ == nullptr || scopes.root().name == suite_->name);
  }

  void kill_workers() {
    for (std::uint32_t row = 0; row < layout::kWorkerRows; ++row) {
      const auto& stored = registry_.control.worker(row);
      if (stored.id.load(std::memory_order_acquire) == 0) continue;
      const auto process = process_of(stored, registry_.control.header());
      const auto pidfd = process.open();
      if (!pidfd) continue;
      if (is_in_slot(stored)) signal_group(process.pid, SIGKILL);
      static_cast<void>(platform::send_signal(pidfd->get(), SIGKILL));
      wait_for_end(pidfd->get());
    }
  }

  // Started by a director, with a process group of its own.
  [[nodiscard]] bool is_in_slot(const layout::WorkerRow& row) const {
    const Scope* scope = registry_.scopes.find(static_cast<ScopeId>(row.scope));
    return scope != nullptr && scope->kind == sessionblocks::ScopeKind::worker;
  }

  static void wait_for_end(int pidfd) {
    // SIGKILL cannot be refused: what is left is the kernel's work.
    pollfd waiting{.fd = pidfd, .events = POLLIN, .revents = 0};
    while (::poll(&waiting, 1, -1) < 0 && errno == EINTR) {
    }
  }

  void adopt_blocks() {
    for (std::uint32_t row = 0; row < layout::kBlockRows; ++row) {
      const auto& stored = registry_.control.block(row);
      if (stored.life.load(std::memory_order_acquire) == 0) continue;
      const std::string name(stored.name, ::strnlen(stored.name, sizeof stored.name));
      const BlockSpec* declared = suite_ != nullptr ? declared_block(*suite_, name) : nullptr;
      ScriptRights grants;
      if (declared != nullptr) {
        grants = grants_of(*declared);
      } else if (registry_.scopes.has_root() &&
                 stored.owner_scope == raw(registry_.scopes.root().id)) {
        grants.emplace("*", sessionblocks::Rights::read_write);  // as request_blocks.cpp made it
      }
      const auto block =
          registry_.blocks.adopt(row, grants, declared != nullptr ? declared->from : "");
      if (!block) continue;
      StoredBlock& adopted = *registry_.blocks.find(*block);
      Subject subject("block " + name);
      subject.block = *block;
      subject.generation = adopted.generation;
      registry_.say(EventKind::adopted, std::move(subject));
      name_heir(adopted, declared);
      if (declared != nullptr) registry_.blocks.add_sensitive(adopted, declared->sensitive);
      registry_.options.audit->block_masked(adopted.id, adopted.mask);
      registry_.keep_values_or_say(adopted);
    }
  }

  // As the suite file has it now, or the very scope that its maker named.
  void name_heir(StoredBlock& block, const BlockSpec* declared) {
    Ending& ending = block.ending;
    if (declared != nullptr) ending.join = join_policies_of(*declared);
    if (ending.at_end != sessionblocks::AtEnd::heir) return;
    const Scope* heir = registry_.scopes.find(ending.heir);
    ending.heir_path = heir != nullptr ? heir->path : "scope " + std::to_string(raw(ending.heir));
    const bool is_declared = declared != nullptr && declared->heir;
    if (!is_declared || (block.is_handed_over() && !block.is_changing_hands)) return;
    ending.is_heir_by_path = true;
    if (!block.is_changing_hands) ending.heir_path = path_of(*suite_, *declared->heir);
  }

  void adopt_workers() {
    for (std::uint32_t row = 0; row < layout::kWorkerRows; ++row) {
      const auto& stored = registry_.control.worker(row);
      if (stored.id.load(std::memory_order_acquire) != 0) adopt_worker(stored, row);
    }
  }

  void adopt_worker(const layout::WorkerRow& stored, std::uint32_t row) {
    Worker worker;
    worker.id = static_cast<WorkerId>(stored.id.load(std::memory_order_relaxed));
    worker.scope = static_cast<ScopeId>(stored.scope);
    worker.process = process_of(stored, registry_.control.header());
    worker.state = static_cast<WorkerState>(stored.state);
    worker.launched_as = worker.id;
    worker.row = row;
    worker.ring_records = stored.ring_records;
    worker.is_director = is_old_director(worker.process);
    const bool is_starting = worker.state == WorkerState::starting;
    if (is_starting || worker.state == WorkerState::attaching) {
      // A segment that was being made for it: nobody was told of it.
      static_cast<void>(SharedSegment::unlink(registry_.options.paths.worker_segment(worker.id)));
      worker.ring_records = registry_.control.worker(row).ring_records = 0;
    }
    if (worker.ring_records != 0) {
      auto segment = SegmentFile::adopt(registry_.options.paths.worker_segment(worker.id));
      if (segment && segment->bytes() >= layout::worker_bytes(worker.ring_records)) {
        worker.segment = std::move(*segment);
      }
    }
    const WorkerId id = worker.id;
    const bool is_alive = worker.process.alive();
    const bool lives =
        is_alive && !worker.is_director && (worker.state == WorkerState::attached || is_starting);
    Worker& adopted = registry_.workers.adopt(std::move(worker));
    if (adopted.segment) restore_opens(adopted);
    if (lives) {
      registry_.say(EventKind::adopted, {"worker " + std::to_string(raw(id)), id},
                    "pid " + std::to_string(adopted.process.pid));
    } else {
      // One that detached may live on.
      if (is_in_slot(stored) && !is_alive) kill_orphaned_group(adopted.process);
      registry_.end_worker(id, "it died while no director ran");
    }
  }

  [[nodiscard]] bool is_old_director(const ProcessIdentity& process) const {
    const auto& header = registry_.control.header();
    return static_cast<std::uint32_t>(process.pid) == header.director_pid &&
           process.start_ticks == header.director_start_ticks;
  }

  // What it had open stands in its own segment, where it can write: its rights are those of the
  // grants, or what control says of redeemed references, and no more than its process was given.
  void restore_opens(Worker& worker) {
    const Scope* scope = registry_.scopes.find(worker.scope);
    const std::string_view path = scope != nullptr ? scope->path : std::string_view("?");
    mask_unknown(worker);
    registry_.options.audit->worker_added(worker.memory(), path);
    std::deque<unsigned> still_free;
    for (const unsigned open : worker.free_opens) {
      const std::uint64_t word = worker.header()->opens[open].load(std::memory_order_acquire);
      if (!restore_open(worker, open, word)) still_free.push_back(open);
    }
    worker.free_opens = std::move(still_free);
  }

  // What is left in the ring of records of blocks that have gone is logged too, and nobody can tell
  // any more which of their keys are sensitive.
  void mask_unknown(const Worker& worker) {
    for (const auto& opened : worker.header()->opens) {
      const std::uint64_t word = opened.load(std::memory_order_acquire);
      const auto id = static_cast<BlockId>(static_cast<std::uint32_t>(word));
      if (id == BlockId{} || registry_.blocks.find(id) != nullptr) continue;
      registry_.options.audit->block_masked(id, registry_.blocks.mask_of({std::string(kEveryKey)}));
    }
  }

  // Whether the index is taken. That of a block which has gone is, until its worker closes it: its
  // records may wait in the ring, and the log may not have been told what they name.
  [[nodiscard]] bool restore_open(Worker& worker, unsigned open, std::uint64_t word) {
    const auto id = static_cast<BlockId>(static_cast<std::uint32_t>(word));
    const auto generation = static_cast<Generation>(static_cast<std::uint32_t>(word >> 32U));
    if (id == BlockId{}) return false;
    const StoredBlock* block = registry_.blocks.find(id);
    const bool known = block != nullptr && block->segment && block->generation == generation;
    auto rights = sessionblocks::Rights::none;
    if (known) {
      rights = std::max(registry_.rights_through_any_name(*block, worker),
                        registry_.references.rights_of(worker.id, open, id, generation));
      // The rows of a process that has ended may be gone already, and what it left is put right.
      const auto held = registry_.holdings.rights_of(worker.process, id, generation);
      if (worker.process.alive()) rights = std::min(rights, held);
    }
    if (known && worker.is_director) rights = sessionblocks::Rights::read_write;
    worker.opens[open] = OpenedBlock{id, generation, rights, !known};
    registry_.options.audit->block_opened(worker.id, open, id, generation,
                                          known ? std::string_view(block->policy.name) : "");
    return true;
  }

  // Segments of blocks that were never published, or of rows that are gone.
  void remove_orphans() {
    const RuntimePaths& paths = registry_.options.paths;
    std::set<std::string> known{paths.control_segment()};
    for (const auto& [id, block] : registry_.blocks.all()) {
      known.insert(paths.block_segment(id, block.generation));
      known.insert(paths.readers_segment(id, block.generation));
    }
    for (const auto& [id, worker] : registry_.workers.all()) {
      known.insert(paths.worker_segment(id));
    }
    empty_all(paths.segment_prefix, known);
    unlink_all(paths.segment_prefix, known);
  }

  Registry& registry_;
  const Suite* suite_;
};

Result<Adoption> create_fresh(RegistryOptions options) {
  unlink_all(options.paths.segment_prefix);
  auto registry = Registry::create(std::move(options));
  if (!registry) return tl::unexpected(registry.error());
  return Adoption{std::move(*registry), false};
}

}  // namespace

Result<Adoption> adopt_or_create(RegistryOptions options, const Suite* suite) {
  auto file = SegmentFile::adopt(options.paths.control_segment());
  const Found found = file ? judge(*file) : Found::nothing;
  if (found == Found::other_layout) {
    return fail(Errc::layout_mismatch,
                "system " + options.paths.system +
                    " was left by a director of another layout; end its workers and run "
                    "sessionctl clean");
  }
  if (found != Found::usable) return create_fresh(std::move(options));
  if (auto checked = check_descriptors(control_in(*file)); !checked) {
    return tl::unexpected(checked.error());
  }
  auto over = Registry::over(options, std::move(*file));
  if (!over) return tl::unexpected(over.error());
  std::unique_ptr<Registry> registry = std::move(*over);
  if (Adopter(*registry, suite).run()) return Adoption{std::move(registry), true};
  registry->say(EventKind::swept, "system " + options.paths.system, "nobody lives in it any more");
  registry->end_system();
  registry.reset();
  return create_fresh(std::move(options));
}

std::vector<std::string> sweep_dead_systems(const RuntimePaths& own) {
  std::vector<std::string> swept;
  const std::string ours = own.segment_prefix.substr(
      0, own.segment_prefix.size() - own.system.size() - 1);  // it ends in "SYSTEM."
  const auto names = SharedSegment::list(ours);
  if (!names) return swept;
  for (const std::string& name : *names) {
    const std::string_view tail = ".control";
    if (name.size() <= ours.size() + tail.size() || !name.ends_with(tail)) continue;
    const std::string system = name.substr(ours.size(), name.size() - ours.size() - tail.size());
    const auto paths = RuntimePaths::of(system);
    if (system == own.system || !paths) continue;
    // Its folder may be one that only its own command line named: then what control says of the
    // director decides, else the lock does.
    std::error_code ignored;
    const bool has_lock = std::filesystem::exists(paths->lock(), ignored);
    std::optional<platform::FileLock> lock;
    if (has_lock) {
      auto taken = platform::FileLock::acquire(paths->lock());
      if (!taken) continue;
      lock.emplace(std::move(*taken));
    }
    auto file = SegmentFile::adopt(name);
    if (!file || judge(*file) == Found::other_layout) continue;
    if (!has_lock && may_have_director(control_in(*file).header)) continue;
    if (judge(*file) == Found::usable &&
        (any_worker_lives(control_in(*file)) || has_blocks_to_keep(control_in(*file)))) {
      continue;
    }
    unlink_all(paths->segment_prefix);
    // CRASH(sweep.unlinked): the files of a system without segments; a director of its name, or
    // nobody, needs them.
    SESSIONBLOCKS_CRASH("sweep.unlinked");
    if (has_lock) paths->remove();
    swept.push_back(system);
  }
  return swept;
}

}  // namespace sessionblocks::director
