#include "director/forks.hpp"

#include <algorithm>
#include <charconv>

#include "core/crash_point.hpp"
#include "director/registry.hpp"
#include "director/suite_words.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::director {
namespace {

using sessionblocks::BlockState;
using sessionblocks::JoinPolicy;

constexpr int kMaxForkDepth = 8;
constexpr std::size_t kMaxForksOfBlock = 32;  // each holds a pin of the origin, which has 56

std::string base_name(BlockId fork) {
  return std::string(kForkPrefix) + std::to_string(raw(fork));
}

// The fork that a checkpoint of its origin is kept for.
std::optional<BlockId> fork_of(std::string_view checkpoint) {
  if (!checkpoint.starts_with(kForkPrefix)) return std::nullopt;
  const std::string_view digits = checkpoint.substr(kForkPrefix.size());
  std::uint32_t id = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (wrong != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return static_cast<BlockId>(id);
}

const Checkpoint* checkpoint_of(const StoredBlock& block, std::string_view name) {
  const auto found = std::find_if(block.checkpoints.begin(), block.checkpoints.end(),
                                  [&](const auto& checkpoint) { return checkpoint.name == name; });
  return found == block.checkpoints.end() ? nullptr : &*found;
}

// The policy of the pattern that says most of the key.
JoinPolicy policy_of(const JoinRequest& request, std::string_view key) {
  JoinPolicy policy = JoinPolicy::refuse;
  std::ptrdiff_t most = -1;
  for (const auto& [pattern, named] : request.policies) {
    const auto said = static_cast<std::ptrdiff_t>(pattern.size()) -
                      std::count(pattern.begin(), pattern.end(), '*');
    if (said <= most || !matches_pattern(pattern, key)) continue;
    most = said;
    policy = named;
  }
  return policy;
}

}  // namespace

Result<void> Forks::check_fork(const StoredBlock& origin) {
  const std::string what = "fork " + origin.text();
  if (!has_permit(origin.permits, Permit::fork)) {
    registry_.say(EventKind::denied, origin, what + ": it does not permit it");
    return fail(Errc::not_permitted, what + ": add \"fork\" to its permit");
  }
  if (!origin.segment) return fail(Errc::invalid_argument, what + ": it has no memory of its own");
  if (origin.refusal() != Errc{}) return fail(origin.refusal(), what);
  std::size_t forks = 0;
  for (const auto& [id, block] : registry_.blocks.all()) {
    forks += block.policy.kind == sessionblocks::BlockKind::forked && block.origin == origin.id
                 ? 1U
                 : 0U;
  }
  if (forks >= kMaxForksOfBlock) {
    return fail(Errc::too_many, what + ": it has " + std::to_string(forks) +
                                    " forks that live; join or destroy one");
  }
  const StoredBlock* at = &origin;
  for (int depth = 1; at != nullptr && at->policy.kind == sessionblocks::BlockKind::forked;
       ++depth) {
    if (depth >= kMaxForkDepth) {
      return fail(Errc::too_many, what + ": it is a fork of a fork, " + std::to_string(depth) +
                                      " times; that is the limit");
    }
    at = registry_.blocks.find(at->origin);
  }
  return {};
}

Result<BlockId> Forks::fork(BlockId origin_id, BlockRequest request) {
  StoredBlock* const origin = registry_.blocks.find(origin_id);
  if (origin == nullptr) return fail(Errc::gone, "fork: the block has ended");
  if (auto may = check_fork(*origin); !may) return tl::unexpected(may.error());
  if (auto fits = registry_.check_creation(request); !fits) return tl::unexpected(fits.error());
  request.origin = origin->id;
  if (origin->mask) add_patterns(request.sensitive, origin->mask->patterns());
  const auto begun = registry_.begin(EventKind::forked, *origin, "as " + request.policy.name);
  const auto creation = registry_.begin(EventKind::created, "block " + request.policy.name);
  std::string base;
  const auto id = registry_.blocks.create(request, [&](StoredBlock& fork) -> Result<void> {
    const auto taken = registry_.take_checkpoint(*origin, base_name(fork.id));
    if (!taken) return tl::unexpected(taken.error());
    base = taken->name;
    // CRASH(fork.taken): a checkpoint of a fork that is not there; adoption releases it.
    SESSIONBLOCKS_CRASH("fork.taken");
    const BlockMemory from = origin->memory();
    const auto source = [&](const TakeEntry& put) {
      return registry_.options.data_plane->show_at(from, registry_.moment_of(*taken), put);
    };
    return registry_.fill(fork, source, &from);
  });
  if (!id) {
    if (!base.empty()) static_cast<void>(registry_.release_checkpoint(*origin, base));
    return id;
  }
  StoredBlock& fork = *registry_.blocks.find(*id);
  // A fork without its own is given one by adoption, before anybody hears of it.
  if (auto taken = registry_.take_checkpoint(fork, std::string(kForkBase)); !taken) {
    registry_.destroy_block(*id, "its base could not be pinned");
    return tl::unexpected(taken.error());
  }
  registry_.announce(*id, request);
  registry_.say(EventKind::forked, *origin, "as " + fork.text());
  return id;
}

void Forks::release_base(const StoredBlock& fork) {
  if (fork.policy.kind != sessionblocks::BlockKind::forked) return;
  if (StoredBlock* const origin = registry_.blocks.find(fork.origin)) {
    static_cast<void>(registry_.release_checkpoint(*origin, base_name(fork.id)));
  }
}

bool Forks::needs(const StoredBlock& block, std::string_view checkpoint) {
  if (checkpoint == kForkBase) return block.policy.kind == sessionblocks::BlockKind::forked;
  const auto fork = fork_of(checkpoint);
  return fork && registry_.blocks.find(*fork) != nullptr;
}

bool Forks::has_base(const StoredBlock& fork) {
  const StoredBlock* const origin = registry_.blocks.find(fork.origin);
  return origin != nullptr && checkpoint_of(*origin, base_name(fork.id)) != nullptr;
}

void Forks::finish() {
  std::vector<BlockId> joined;
  for (auto& [id, block] : registry_.blocks.all()) {
    if (block.is_joining) {
      if (!has_base(block)) {
        joined.push_back(id);
        continue;
      }
      registry_.blocks.end_join(block);
    }
    if (!block.is_maintained()) continue;
    std::vector<std::string> lost;
    for (const Checkpoint& checkpoint : block.checkpoints) {
      const auto fork = fork_of(checkpoint.name);
      if (fork && registry_.blocks.find(*fork) == nullptr) lost.push_back(checkpoint.name);
    }
    for (const std::string& name : lost) {
      static_cast<void>(registry_.release_checkpoint(block, name));
    }
    if (block.policy.kind == sessionblocks::BlockKind::forked && block.checkpoints.empty()) {
      static_cast<void>(registry_.take_checkpoint(block, std::string(kForkBase)));
    }
  }
  for (const BlockId id : joined) registry_.destroy_block(id, "joined to its origin");
}

Result<MergePlan> Forks::plan_join(StoredBlock& fork, const JoinRequest& request) {
  const std::string what = "join " + fork.text();
  if (fork.policy.kind != sessionblocks::BlockKind::forked) {
    return fail(Errc::invalid_argument, what + ": it is no fork");
  }
  StoredBlock* const origin = registry_.blocks.find(fork.origin);
  if (origin == nullptr) return fail(Errc::gone, what + ": its origin has ended");
  for (const StoredBlock* side : {&fork, origin}) {
    if (side->state == BlockState::active) continue;
    return fail(Errc::invalid_argument,
                what + ": " + side->text() + " is " + std::string(word(side->state)));
  }
  const Checkpoint* const base = checkpoint_of(fork, kForkBase);
  const Checkpoint* const origin_base = checkpoint_of(*origin, base_name(fork.id));
  if (base == nullptr || origin_base == nullptr) {
    return fail(Errc::no_such_checkpoint,
                what + ": " + origin->text() +
                    " was rolled back to before it was forked, so that they have no instant in "
                    "common; copy what you need, and destroy the fork");
  }
  for (const Checkpoint& checkpoint : fork.checkpoints) {
    if (!checkpoint.name.starts_with(kForkPrefix)) continue;
    return fail(Errc::too_many, what + ": it has forks itself; join or destroy those first");
  }
  return MergePlan{
      origin->memory(),
      registry_.moment_of(*origin_base),
      fork.memory(),
      registry_.moment_of(*base),
      platform::monotonic_coarse_ms(),
      [&request](std::span<const std::byte> key) {
        return policy_of(request, {reinterpret_cast<const char*>(key.data()), key.size()});
      }};
}

// The fork is moving, so that nothing that is written there can be lost: who waits for it finds it
// gone, or goes on.
Result<void> Forks::merge(StoredBlock& fork, const MergePlan& plan, bool is_trial,
                          MergeReport& report) {
  if (auto settled = registry_.settle(fork, fork.text()); !settled) return settled;
  // Without a copy first: most conflicts are found now.
  const auto trial = registry_.options.data_plane->merge(plan, nullptr);
  if (!trial) return tl::unexpected(trial.error());
  report = *trial;
  if (is_trial) return {};
  if (report.conflicts != 0) return fail(Errc::join_conflict, "join " + fork.text());
  StoredBlock& origin = *registry_.blocks.find(fork.origin);
  // Before what it covers arrives there.
  if (fork.mask && registry_.blocks.add_sensitive(origin, fork.mask->patterns())) {
    registry_.options.audit->block_masked(origin.id, origin.mask);
  }
  return registry_.generations.merge(origin, plan, base_name(fork.id), report);
}

Result<void> Forks::join(StoredBlock& fork, const JoinRequest& request, MergeReport& report,
                         std::string_view why) {
  const auto plan = plan_join(fork, request);
  if (!plan) return tl::unexpected(plan.error());
  const auto begun = registry_.begin(EventKind::joined, *registry_.blocks.find(fork.origin),
                                     fork.text() + ", " + std::string(why));
  registry_.blocks.begin_join(fork);
  auto done = merge(fork, *plan, request.is_trial, report);
  if (!done || request.is_trial) {
    registry_.blocks.end_join(fork);
    return done;
  }
  // CRASH(join.merged): the origin has it all, and no base of the fork; adoption destroys the fork.
  SESSIONBLOCKS_CRASH("join.merged");
  const StoredBlock& origin = *registry_.blocks.find(fork.origin);
  const std::string counts =
      std::to_string(report.taken) + " taken, " + std::to_string(report.erased) + " erased, " +
      std::to_string(report.combined) + " combined, " + std::to_string(report.kept) + " kept";
  registry_.say(EventKind::joined, origin, fork.text() + ": " + counts + ", " + std::string(why));
  registry_.destroy_block(fork.id, "joined to its origin");
  return {};
}

}  // namespace sessionblocks::director
