#include "director/block_states.hpp"

#include <algorithm>
#include <chrono>

#include "core/crash_point.hpp"
#include "director/registry.hpp"
#include "platform/process_exit.hpp"

namespace sessionblocks::director {
namespace {

using sessionblocks::BlockState;
using sessionblocks::Enforce;
using sessionblocks::Rights;

constexpr std::chrono::seconds kLongestDying{1};  // SIGKILL takes 0.3 ms; a core dump takes longer
constexpr std::uint64_t kEverySlot = ~std::uint64_t{0};

struct Rule {
  Transition what;
  std::string_view verb;
  EventKind event;
  BlockState to;
  // Who holds more than this may not go on.
  Rights most;
};

constexpr Rule kRules[] = {
    {Transition::seal, "seal", EventKind::sealed, BlockState::sealed, Rights::read},
    {Transition::unseal, "unseal", EventKind::unsealed, BlockState::active, Rights::read_write},
    {Transition::quarantine, "quarantine", EventKind::quarantined, BlockState::quarantined,
     Rights::none},
    {Transition::release, "release", EventKind::released, BlockState::active, Rights::read_write},
    {Transition::wipe, "wipe", EventKind::wiped, BlockState::wiped, Rights::none},
};

const Rule& rule_of(Transition what) noexcept {
  return kRules[static_cast<std::size_t>(what)];
}

bool is_possible(Transition what, BlockState from) noexcept {
  switch (what) {
    case Transition::seal:
      return from == BlockState::active;
    case Transition::unseal:
      return from == BlockState::sealed;
    case Transition::quarantine:
      return from == BlockState::active || from == BlockState::sealed;
    case Transition::release:
      return from == BlockState::quarantined;
    case Transition::wipe:
      return from != BlockState::wiped && from != BlockState::destroyed;
  }
  return false;
}

}  // namespace

Result<void> BlockStates::change(StoredBlock& block, Transition what, std::string_view why,
                                 std::optional<Enforcement> by) {
  const Rule& rule = rule_of(what);
  const Subject subject(block);
  const std::string text = subject.text;
  if (!block.segment) {
    return fail(Errc::invalid_argument, std::string(rule.verb) + " " + text +
                                            ": it has no memory of its own; name the block that "
                                            "it comes from");
  }
  if (!is_possible(what, block.state)) {
    return fail(Errc::invalid_argument, std::string(rule.verb) + " " + text + ": it is " +
                                            std::string(sessionblocks::word(block.state)));
  }
  if (what == Transition::release) {
    if (auto sound = check_sound(block); !sound) return sound;
  }
  const auto begun = registry_.begin(rule.event, subject, std::string(why));
  if (by || block.enforcing != 0) {
    registry_.blocks.begin_enforcing(block, by ? by->code() : 0);
  }
  registry_.blocks.change_state(block, rule.to);
  Result<void> outcome = registry_.settle(block, text);
  // CRASH(state.settled): nothing in flight can commit; those who hold too much still do, and a
  // wiped block has its bytes: adoption goes on here.
  SESSIONBLOCKS_CRASH("state.settled");
  const BlockId id = block.id;
  auto enforced = enforce(block, rule.most, by.value_or(Enforcement{block.enforce}));
  if (outcome) outcome = enforced;
  // Of a flow scope that was killed: it was changed, and has ended since.
  if (registry_.blocks.find(id) == nullptr) {
    registry_.say(rule.event, subject, std::string(why));
    return outcome;
  }
  if (by && enforced) registry_.blocks.begin_enforcing(block, 0);
  if (what == Transition::wipe) {
    registry_.forget_checkpoints(block);
    if (auto gone = registry_.remove_key(block); !gone && outcome) outcome = std::move(gone);
    // CRASH(wipe.key_removed): no snapshot of it can be read any more, its bytes are there;
    // adoption wipes.
    SESSIONBLOCKS_CRASH("wipe.key_removed");
    if (auto gone = discard(block); !gone) return gone;
  }
  // CRASH(state.enforced): all done but the log's note of it.
  SESSIONBLOCKS_CRASH("state.enforced");
  registry_.say(rule.event, subject, std::string(why));
  return outcome;
}

// Adoption calls it before this director has a lane to copy with, and the start once it has.
void BlockStates::finish() {
  const bool can_swap = registry_.own_lane() != nullptr;
  std::vector<BlockId> all;
  for (const auto& [id, block] : registry_.blocks.all()) all.push_back(id);
  for (const BlockId id : all) {
    StoredBlock* const found = registry_.blocks.find(id);
    if (found == nullptr || !found->segment) continue;  // it ended with a flow scope
    StoredBlock& block = *found;
    if (block.state == BlockState::moving) continue;  // Forks::finish
    const auto by =
        block.enforcing != 0 ? Enforcement::of(block.enforcing) : Enforcement{block.enforce};
    if (block.state != BlockState::active) {
      static_cast<void>(registry_.settle(block, block.text()));
      const Rights most = block.state == BlockState::sealed ? Rights::read : Rights::none;
      const bool swaps = by.how == Enforce::swap && can_swap && !holders(block, most).empty();
      if (by.how == Enforce::kill || swaps) static_cast<void>(enforce(block, most, by));
      if (registry_.blocks.find(id) == nullptr) continue;
    }
    if (block.enforcing != 0 && can_swap) registry_.blocks.begin_enforcing(block, 0);
    if (block.state != BlockState::wiped) continue;
    static_cast<void>(registry_.remove_key(block));
    static_cast<void>(discard(block));
  }
}

// After it nobody who holds more than `most` can change what others see, or see what they may not.
Result<void> BlockStates::enforce(StoredBlock& block, Rights most, Enforcement by) {
  if (most == Rights::none) registry_.empty_retired(block.id);
  if (by.how == Enforce::cooperative || most == Rights::read_write) return {};
  // What is wiped has nothing to take along, and its pages go anyhow.
  const bool swaps = by.how == Enforce::swap && block.state != BlockState::wiped;
  if (!swaps && by.how == Enforce::swap) return {};
  if (swaps) {
    auto swapped = registry_.generations.swap(block);
    if (swapped) return {};
    registry_.say(EventKind::failed, "swap " + block.text(), swapped.error().message());
    if (!by.may_kill) return swapped;
  }
  return kill_holders(block, most);
}

std::vector<platform::ProcessIdentity> BlockStates::holders(const StoredBlock& block, Rights most) {
  std::vector<platform::ProcessIdentity> found;
  for (const Holding& holding : registry_.holdings.of(block.id, block.generation)) {
    if (holding.rights <= most) continue;
    if (std::find(found.begin(), found.end(), holding.process) == found.end()) {
      found.push_back(holding.process);
    }
  }
  return found;
}

// All of it at once: nobody writes to it meanwhile.
Result<void> BlockStates::check_sound(StoredBlock& block) {
  if (block.segment->has_lost_memory() || block.readers->has_lost_memory()) {
    return fail(Errc::corrupt,
                "release " + block.text() + ": memory was taken out of its segments");
  }
  for (;;) {
    const auto examined = registry_.options.data_plane->examine(block.memory(), kEverySlot);
    if (!examined.damage.empty()) {
      return fail(Errc::corrupt, "release " + block.text() + ": " + examined.damage);
    }
    if (examined.is_over) return {};
  }
}

Result<void> BlockStates::discard(StoredBlock& block) {
  registry_.options.data_plane->forget(block.id, block.generation);
  auto gone = block.segment->discard();
  if (!gone) registry_.say(EventKind::failed, "wipe " + block.text(), gone.error().message());
  return gone;
}

Result<void> BlockStates::kill_holders(const StoredBlock& block, Rights most) {
  const std::string text = block.text();  // it may end with a flow scope of who is killed
  return kill(holders(block, most), text);
}

// All are signalled before the first is waited for: none goes on while another dies.
Result<void> BlockStates::kill(const std::vector<platform::ProcessIdentity>& processes,
                               const std::string& block) {
  Result<void> all;
  std::vector<std::pair<const platform::ProcessIdentity*, platform::UniqueFd>> dying;
  std::vector<Transitions::Begun> begun;
  const auto self = platform::ProcessIdentity::self();
  for (const auto& process : processes) {
    if (self && *self == process) {
      const std::string text = text_of(process);
      registry_.say(EventKind::failed, "kill " + text, "it is the director's own process");
      all = fail(Errc::unsupported, "enforce = kill: " + text + " is the director's own process");
      continue;
    }
    auto pidfd = process.open();
    begun.push_back(registry_.begin(EventKind::killed, text_of(process), "it held " + block));
    if (pidfd) {
      static_cast<void>(platform::send_signal(pidfd->get(), SIGKILL));
    } else if (!(pidfd.error() == Errc::gone)) {
      all = tl::unexpected(pidfd.error());
      continue;
    }
    dying.emplace_back(&process, pidfd ? std::move(*pidfd) : platform::UniqueFd());
  }
  const auto until = std::chrono::steady_clock::now() + kLongestDying;
  for (auto& [process, pidfd] : dying) {
    const bool is_over =
        pidfd.get() < 0 || platform::wait_until_exiting(pidfd.get(), process->pid, until);
    if (is_over) continue;
    const std::string text = text_of(*process);
    registry_.say(EventKind::failed, "kill " + text, "it does not end");
    all = fail(Errc::timed_out, "enforce = kill: " + text + " does not end");
    process = nullptr;
  }
  for (const auto& [process, pidfd] : dying) {
    if (process != nullptr) bury(*process, block);
  }
  return all;
}

// A process that is killed can do nothing more; how it ended is seen by its pidfd, as ever.
void BlockStates::bury(const platform::ProcessIdentity& process, const std::string& block) {
  registry_.say(EventKind::killed, text_of(process), "it held " + block);
  for (const WorkerId id : workers_of(process)) {
    registry_.end_worker(id, "killed: it held " + block);
  }
  registry_.holdings.forget_process(process);
}

std::vector<WorkerId> BlockStates::workers_of(const platform::ProcessIdentity& process) const {
  std::vector<WorkerId> found;
  for (const auto& [id, worker] : registry_.workers.all()) {
    if (!worker.is_director && worker.process == process && worker.segment) found.push_back(id);
  }
  return found;
}

std::string BlockStates::text_of(const platform::ProcessIdentity& process) const {
  const auto workers = workers_of(process);
  const std::string text = "pid " + std::to_string(process.pid);
  if (workers.empty()) return text;
  return "worker " + std::to_string(raw(workers.front())) + ", " + text;
}

}  // namespace sessionblocks::director
