#include "flowguard/observer.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace sessionblocks::flowguard {
namespace {

using director::Act;
using director::Registry;
using director::Scope;
using director::StoredBlock;
using director::Worker;

// The scripts at and above a scope.
std::vector<ScopeId> scripts_over(const Registry& registry, ScopeId scope) {
  std::vector<ScopeId> scripts;
  const Scope* script = registry.scopes.script_of(scope);
  while (script != nullptr) {
    scripts.push_back(script->id);
    const ScopeId parent = script->parent;
    script = registry.scopes.find(parent) != nullptr ? registry.scopes.script_of(parent) : nullptr;
  }
  return scripts;
}

// Forks of forks, and blocks inherited from inherited ones, each a link.
std::uint64_t chain_of(Registry& registry, const StoredBlock& block) {
  constexpr std::uint64_t kLongest = 64;
  std::uint64_t links = 0;
  const StoredBlock* at = &block;
  while (at != nullptr && links < kLongest) {
    if (at->policy.kind == sessionblocks::BlockKind::forked) {
      at = registry.blocks.find(at->origin);
    } else if (at->policy.kind == sessionblocks::BlockKind::inherited) {
      const Scope* owner = registry.scopes.find(at->policy.owner);
      const auto found = owner != nullptr ? registry.visible_block(at->from, owner->parent)
                                          : Result<StoredBlock*>(nullptr);
      at = found && *found != at ? *found : nullptr;
    } else {
      break;
    }
    ++links;
  }
  return links;
}

std::uint64_t depth_below(const Registry& registry, const Scope& scope) {
  std::uint64_t deepest = 0;
  for (const ScopeId below : registry.scopes.subtree(scope.id)) {
    std::uint64_t depth = 0;
    for (const Scope* at = registry.scopes.find(below); at != nullptr && at->id != scope.id;
         at = registry.scopes.find(at->parent)) {
      ++depth;
    }
    deepest = std::max(deepest, depth);
  }
  return deepest;
}

std::string text_of_worker(const Registry& registry, const Worker& worker) {
  const Scope* scope = registry.scopes.find(worker.scope);
  return "worker " + std::to_string(raw(worker.id)) + " (" +
         (scope != nullptr ? scope->path : std::string("ended scope")) + ", pid " +
         std::to_string(worker.process.pid) + ")";
}

bool is_watched(const Worker& worker) {
  return !worker.is_director && worker.segment && worker.state == director::WorkerState::attached;
}

}  // namespace

void Observer::answered(const director::Asking& asking, Errc code, std::uint64_t now_ms) {
  workers_[asking.worker].answered(asking, code, now_ms);
}

void Observer::acted(Registry& registry, Act act, ScopeId scope, BlockId block) {
  if (act == Act::share) block_at(block, looked_ms_).shared();
  if (act == Act::redeem) block_at(block, looked_ms_).redeemed();
  if (act != Act::start_script) return;
  for (const ScopeId script : scripts_over(registry, scope)) scopes_[script].started();
}

// A dead worker's intent is looked at when it is on its way out: at the next look it is not there.
void Observer::intent_forged(Registry* registry, WorkerId worker) {
  workers_[worker].forged(1);
  const Worker* const known = registry == nullptr ? nullptr : registry->workers.find(worker);
  forgers_[worker] = known != nullptr ? text_of_worker(*registry, *known) : workers_[worker].text();
}

std::vector<Observed> Observer::look(Registry& registry, std::uint64_t now_ms) {
  Turn turn;
  turn.now_ms = now_ms;
  turn.is_first = looked_ms_ == 0;
  turn.passed_s = turn.is_first ? 0 : static_cast<double>(now_ms - looked_ms_) / 1'000;
  looked_ms_ = now_ms;
  processes_.look();
  take(registry, turn);
  // What an adopted system has counted until now is no burst.
  if (turn.is_first) {
    turn.blocks.clear();
    turn.workers.clear();
  }
  std::vector<Observed> observed;
  look_at_blocks(registry, turn, observed);
  look_at_workers(registry, turn, observed);
  look_at_ended(registry, observed);
  look_at_scopes(registry, turn, observed);
  forget_what_ended(registry);
  return observed;
}

void Observer::take(Registry& registry, Turn& turn) {
  const Activity::Taken taken = activity_->take();
  const auto add = [](Use& to, const Use& from) {
    to.reads += from.reads;
    to.writes += from.writes;
    to.written_bytes += from.written_bytes;
  };
  for (const auto& [who, use] : taken.uses) {
    const auto& [worker, block] = who;
    const Worker* known = registry.workers.find(worker);
    if (known != nullptr && known->is_director) continue;
    add(turn.blocks[block].use, use);
    add(turn.workers[worker].use, use);
    block_at(block, turn.now_ms).wrote(worker, use.writes);
  }
  for (const auto& [worker, times] : taken.forgeries) {
    workers_[worker].forged(times);
    forgers_.try_emplace(worker, workers_[worker].text());
  }
  for (const auto& [id, worker] : registry.workers.all()) {
    if (!is_watched(worker)) continue;
    WorkerWatch& watch = workers_[id];
    for (const auto& [open, opened] : worker.opens) {
      const auto counted = watch.take_counted(worker, open);
      const Use use{counted.reads, counted.writes, 0};
      add(turn.blocks[opened.block].use, use);
      add(turn.workers[id].use, use);
      turn.blocks[opened.block].refused += counted.refused;
      turn.workers[id].refused += counted.refused;
    }
  }
}

void Observer::look_at_blocks(Registry& registry, Turn& turn, std::vector<Observed>& out) {
  for (const auto& [id, block] : registry.blocks.all()) {
    if (!block.segment) continue;
    BlockWatch& watch = block_at(id, turn.now_ms);
    BlockTurn& one = turn.blocks[id];
    one.now_ms = turn.now_ms;
    one.passed_s = turn.passed_s;
    for (const auto& [worker, ms] : watch.look_at_hazards(block, turn.now_ms)) {
      workers_[worker].holds(ms);
    }
    const std::uint64_t used =
        block.is_maintained() ? registry.options.data_plane->used_bytes(block.memory()) : 0;
    out.push_back({Kind::block, raw(id), block.text(),
                   watch.look(block, one, activity_->keys_of(id, turn.now_ms), used)});
  }
}

void Observer::look_at_workers(Registry& registry, const Turn& turn, std::vector<Observed>& out) {
  for (const auto& [id, worker] : registry.workers.all()) {
    if (!is_watched(worker)) continue;
    const auto did = turn.workers.find(id);
    const WorkerTurn one = did == turn.workers.end() ? WorkerTurn{} : did->second;
    WorkerWatch& watch = workers_[id];
    watch.name(text_of_worker(registry, worker));
    out.push_back({Kind::worker, raw(id), watch.text(),
                   watch.look(worker, {one.use, one.refused, turn.now_ms, turn.passed_s})});
  }
}

void Observer::look_at_ended(Registry& registry, std::vector<Observed>& out) {
  for (auto& [id, text] : std::exchange(forgers_, {})) {
    const Worker* const worker = registry.workers.find(id);
    if (worker != nullptr && is_watched(*worker)) continue;
    Observed one;
    one.kind = Kind::worker;
    one.id = raw(id);
    one.text = text.empty() ? "worker " + std::to_string(raw(id)) : text;
    one.measures[Metric::worker_forgeries] = workers_[id].forgeries();
    out.push_back(std::move(one));
  }
}

void Observer::look_at_scopes(Registry& registry, const Turn& turn, std::vector<Observed>& out) {
  std::map<ScopeId, ScopeWatch::Turn> turns;
  for (const auto& [id, scope] : registry.scopes.all()) {
    if (scope.kind == sessionblocks::ScopeKind::suite) continue;
    for (const ScopeId script : scripts_over(registry, id)) ++turns[script].pieces;
  }
  for (const auto& [id, block] : registry.blocks.all()) {
    const std::uint64_t chain = chain_of(registry, block);
    for (const ScopeId script : scripts_over(registry, block.policy.owner)) {
      ++turns[script].pieces;
      turns[script].chain = std::max(turns[script].chain, chain);
    }
  }
  for (const auto& [id, worker] : registry.workers.all()) {
    if (!is_watched(worker)) continue;
    const auto did = turn.workers.find(id);
    const Worker* const leader = registry.workers.find(worker.launched_as);
    const std::uint64_t processes =
        leader != nullptr && leader->id == id ? processes_.in_group(worker.process.pid) : 0;
    for (const ScopeId script : scripts_over(registry, worker.scope)) {
      ScopeWatch::Turn& of = turns[script];
      ++of.workers;
      of.processes += processes;
      of.refused += workers_[id].refused();
      if (did != turn.workers.end())
        of.operations += did->second.use.reads + did->second.use.writes;
    }
  }
  for (auto& [id, one] : turns) {
    const Scope& scope = *registry.scopes.find(id);
    if (scope.kind != sessionblocks::ScopeKind::script) continue;
    one.depth = depth_below(registry, scope);
    one.passed_s = turn.passed_s;
    one.is_first = turn.is_first;
    out.push_back({Kind::scope, raw(id), "scope " + scope.path, scopes_[id].look(one)});
  }
}

WorkerId Observer::main_writer(BlockId block) const {
  const auto found = blocks_.find(block);
  return found == blocks_.end() ? WorkerId{} : found->second.main_writer();
}

void Observer::forget_what_ended(Registry& registry) {
  std::erase_if(blocks_, [&](const auto& row) {
    if (registry.blocks.find(row.first) != nullptr) return false;
    activity_->forget(row.first);
    return true;
  });
  std::erase_if(workers_,
                [&](const auto& row) { return registry.workers.find(row.first) == nullptr; });
  std::erase_if(scopes_,
                [&](const auto& row) { return registry.scopes.find(row.first) == nullptr; });
}

}  // namespace sessionblocks::flowguard
