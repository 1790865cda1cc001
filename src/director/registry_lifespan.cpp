// Registry: the end of a block's time. Whatever ends it (its scope, its lifespan, its idle time)
// comes here, and here is what becomes of it. What somebody asks to destroy is destroyed.
#include <algorithm>

#include "core/crash_point.hpp"
#include "director/registry.hpp"
#include "platform/clock.hpp"
#include "platform/process.hpp"

namespace sessionblocks::director {
namespace {

using sessionblocks::AtEnd;
using sessionblocks::BlockState;
using sessionblocks::Enforce;
using sessionblocks::Rights;

constexpr std::size_t kMostOfName = 20;  // of what a snapshot at a block's end is called

}  // namespace

void Registry::end_of_life(BlockId id, std::string_view why) {
  StoredBlock* const block = blocks.find(id);
  if (block == nullptr) return;
  switch (block->ending.at_end) {
    case AtEnd::destroy:
      break;
    case AtEnd::heir:
      if (pass_to_heir(*block, why)) return;
      break;
    case AtEnd::join:
      if (join(*block, why)) return;
      break;
    case AtEnd::snapshot:
    case AtEnd::elevate:
      keep(*block);
      break;
  }
  destroy_block(id, why);
}

// A director that dies in between keeps it again: as a DataBlock once all the same, because the one
// that is there has its entries; as one more snapshot, whose name says when.
void Registry::keep(StoredBlock& block) {
  const auto lost = [&](const Error& error) { say_lost(block, "not kept: " + error.message()); };
  if (block.ending.at_end == AtEnd::elevate) {
    if (auto kept = elevate(block, Elevation::unless_kept); !kept) lost(kept.error());
    return;
  }
  const std::uint64_t now_ms = platform::realtime_ns() / 1'000'000;
  const std::string name = block.policy.name.substr(0, kMostOfName) + "-" +
                           std::to_string(raw(block.id)) + "-" + std::to_string(now_ms);
  if (auto kept = snapshot_block(block, state().snapshot(name)); !kept) lost(kept.error());
}

// What the policies do not decide, counters that are none, leaves the origin as it was.
bool Registry::join(StoredBlock& block, std::string_view why) {
  MergeReport report;
  auto joined = forks.join(block, {block.ending.join, false}, report, why);
  if (!joined) say_lost(block, "not joined: " + joined.error().message());
  return joined.has_value();
}

// Whose lane takes the checkpoints: adoption ends a system before it has one.
void Registry::end_system() {
  const auto self = platform::ProcessIdentity::self();
  if (own_worker_ == WorkerId{} && scopes.has_root() && self) {
    if (auto own = attach_director(*self); !own) {
      say(EventKind::failed, "keep blocks", own.error().message());
    }
  }
  std::vector<BlockId> every;
  for (const auto& [id, block] : blocks.all()) every.push_back(id);
  // Forks first, and those of forks before: what their origins keep has it.
  std::for_each(every.rbegin(), every.rend(), [this](BlockId id) {
    StoredBlock& block = *blocks.find(id);
    if (block.ending.at_end == AtEnd::join) static_cast<void>(join(block, "the system ends"));
  });
  for (const BlockId id : every) {
    StoredBlock* const block = blocks.find(id);
    if (block == nullptr) continue;  // joined
    const AtEnd at_end = block->ending.at_end;
    if (at_end == AtEnd::snapshot || at_end == AtEnd::elevate) keep(*block);
  }
  remove_all();
}

void Registry::say_lost(const StoredBlock& block, const std::string& why) {
  say(EventKind::failed, block, why);
}

const Scope* Registry::heir_of(const StoredBlock& block) const {
  const Ending& ending = block.ending;
  return ending.is_heir_by_path ? scopes.find(ending.heir_path) : scopes.find(ending.heir);
}

// Control says whom its heir's path means now.
void Registry::name_heir(StoredBlock& block) noexcept {
  if (!block.ending.is_heir_by_path) return;
  const Scope* const heir = heir_of(block);
  blocks.name_heir(block, heir != nullptr ? heir->id : ScopeId{});
}

// Whether the block goes on. An heir that has one of this name keeps that: what it works with must
// not vanish under its hands, nor can one scope have two of a name.
bool Registry::pass_to_heir(StoredBlock& block, std::string_view why) {
  if (block.is_handed_over()) return false;  // the heir's own end, or its lifespan's
  const auto lost = [&](const std::string& because) {
    say_lost(block, "not handed over to " + block.ending.heir_path + ": " + because);
    return false;
  };
  const Scope* const heir = heir_of(block);
  if (heir == nullptr) return lost("there is no such scope now");
  if (heir->is_ending) return lost("that scope is ending");
  if (block.state == BlockState::wiped) return lost("it was wiped, there is nothing in it");
  for (const StoredBlock* other : blocks.named(block.policy.name)) {
    if (other->policy.owner == heir->id) return lost("it owns " + other->text() + " already");
  }
  hand_over(block, heir->id, why);
  return true;
}

void Registry::hand_over(StoredBlock& block, ScopeId heir, std::string_view why) {
  const BlockId id = block.id;
  const Scope* const before = scopes.find(block.policy.owner);
  const std::string from = before != nullptr ? before->path : "an ended scope";
  const bool is_created = !block.ending.is_heir_by_path;
  const std::string what = "from " + from + " to " + scopes.find(heir)->path;
  const auto begun = begin(EventKind::handed_over, block, what);
  blocks.begin_hand_over(block, heir);
  if (is_created) block.policy.grants = grants_of_created(block);
  if (!revoke_beyond_grants(block)) return;  // the start goes on here, with a lane
  // CRASH(handover.revoked): as handover.goal; who lost its rights was told, left behind, or
  // killed.
  SESSIONBLOCKS_CRASH("handover.revoked");
  StoredBlock* const held = blocks.find(id);  // a flow scope that inherits ends with its worker
  if (held == nullptr) return;
  blocks.finish_hand_over(*held);
  // CRASH(handover.done): all done but the log's note of it.
  SESSIONBLOCKS_CRASH("handover.done");
  say(EventKind::handed_over, *held, what + ": " + std::string(why));
}

// As if its new owner had created it (request_blocks.cpp).
ScriptRights Registry::grants_of_created(const StoredBlock& block) const {
  if (block.policy.owner != scopes.root().id) return {};
  return {{"*", Rights::read_write}};
}

// From who may do more now than the block's grants say; what a reference gave stays. Cooperative:
// their libraries are asked to stop. False: not yet, there is no lane to copy with.
bool Registry::revoke_beyond_grants(StoredBlock& block) {
  if (!block.segment) return true;
  if (block.enforce == Enforce::cooperative) {
    ask_losers_to_unmap(block);
    return true;
  }
  if (block.enforce == Enforce::swap && own_lane() == nullptr) return false;
  const std::string text = block.text();
  const auto done =
      revocations.enforce(block, scopes.root().path, Enforcement{.how = block.enforce});
  if (!done) say(EventKind::failed, "hand over " + text, done.error().message());
  return true;
}

void Registry::finish_hand_overs() {
  std::vector<BlockId> begun;
  for (const auto& [id, block] : blocks.all()) {
    if (block.is_changing_hands) begun.push_back(id);
  }
  for (const BlockId id : begun) {
    StoredBlock* const block = blocks.find(id);
    if (block == nullptr || !block->is_changing_hands) continue;
    const Scope* const heir = scopes.find(block->ending.heir);
    if (heir == nullptr) {
      end_of_life(id, "its heir has ended");
    } else {
      hand_over(*block, heir->id, "an earlier director began to");
    }
  }
}

}  // namespace sessionblocks::director
