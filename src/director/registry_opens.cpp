// Registry: what a name means to a scope, and the opens of workers.
#include <algorithm>

#include "core/crash_point.hpp"
#include "director/registry.hpp"

namespace sessionblocks::director {
namespace {

using platform::Access;
using sessionblocks::BlockKind;
using sessionblocks::BlockState;
using sessionblocks::Rights;

}  // namespace

Result<StoredBlock*> Registry::visible_block(std::string_view name, ScopeId scope) {
  StoredBlock* other = nullptr;  // another slot's or flow's: there, and not for this scope
  StoredBlock* handed_over = nullptr;
  StoredBlock* of_one = nullptr;
  StoredBlock* nearest = nullptr;
  std::size_t longest = 0;  // owners on one way up: the nearest has the longest path
  for (StoredBlock* block : blocks.named(name)) {
    const Scope* owner = scopes.find(block->policy.owner);
    if (scopes.belongs_to(scope, block->policy.owner)) {
      if (owner->path.size() > longest) nearest = block;
      longest = std::max(longest, owner->path.size());
    } else if (owner != nullptr && owner->is_one_of_many()) {
      other = block;
    } else {
      (block->is_handed_over() ? handed_over : of_one) = block;
    }
  }
  for (StoredBlock* found : {nearest, of_one, handed_over, other}) {
    if (found != nullptr) return found;
  }
  return fail(Errc::no_such_block, "block " + std::string(name));
}

Result<Registry::Reached> Registry::reach(std::string_view name, ScopeId scope) {
  constexpr int kMaxInherited = 64;  // a suite has no cycle; a forged row of an adoption might
  auto block = visible_block(name, scope);
  if (!block) return tl::unexpected(block.error());
  Rights rights = rights_on((*block)->policy, scope, scopes);
  bool first = true;
  for (int step = 0; (*block)->policy.kind == BlockKind::inherited; ++step) {
    auto from = visible_block((*block)->from, scope);
    if (!from) return tl::unexpected(from.error());
    if (step == kMaxInherited) return fail(Errc::denied, "block " + std::string(name));
    const Rights most = first ? inherited_rights((*block)->policy, (*from)->policy, scope, scopes)
                              : std::min(rights, passed_down((*from)->policy, scope, scopes));
    rights = most;
    first = false;
    block = from;
  }
  if (rights == Rights::none) {
    return fail(Errc::denied, "block " + std::string(name) + ": no grant for this scope");
  }
  rights = std::min(rights, rights_left(**block, scope));
  if (rights == Rights::none) {
    return fail(Errc::denied, "block " + std::string(name) + ": its rights on it were revoked");
  }
  return Reached{*block, rights};
}

Rights Registry::rights_through_any_name(const StoredBlock& block, const Worker& worker) {
  Rights best = rights_through_any_name(block, worker.scope);
  for (const ScopeId flow : scopes.flows_of(worker.id)) {
    best = std::max(best, rights_through_any_name(block, flow));
  }
  return best;
}

Rights Registry::rights_through_any_name(const StoredBlock& block, ScopeId scope) {
  Rights best = std::min(rights_on(block.policy, scope, scopes), rights_left(block, scope));
  if (best != Rights::none) return best;
  for (const auto& [id, other] : blocks.all()) {
    if (other.policy.kind != BlockKind::inherited) continue;
    const auto reached = reach(other.policy.name, scope);
    if (reached && reached->block == &block) best = std::max(best, reached->rights);
  }
  return best;
}

// Its issuer's access, carried on: less when either lost some.
Rights Registry::redeemed_rights(const StoredBlock& block, const Worker& worker, unsigned open) {
  const auto opened = worker.opens.find(open);
  if (opened == worker.opens.end()) return Rights::none;
  const Rights redeemed =
      references.rights_of(worker.id, open, block.id, opened->second.generation);
  if (redeemed == Rights::none) return redeemed;
  const ScopeId issuer = references.issuer_of(worker.id, open);
  return std::min({redeemed, rights_left(block, worker.scope), rights_left(block, issuer)});
}

Rights Registry::rights_of_open(const StoredBlock& block, const Worker& worker, unsigned open) {
  return std::max(rights_through_any_name(block, worker), redeemed_rights(block, worker, open));
}

Rights Registry::rights_of_process(const StoredBlock& block,
                                   const platform::ProcessIdentity& process) {
  Rights best = Rights::none;
  for (const auto& [id, worker] : workers.all()) {
    if (worker.process != process || worker.is_director) continue;
    best = std::max(best, rights_through_any_name(block, worker));
    for (const auto& [open, opened] : worker.opens) {
      if (opened.block == block.id) best = std::max(best, redeemed_rights(block, worker, open));
    }
  }
  return best;
}

Result<Opening> Registry::open(Worker& worker, ScopeId scope, std::string_view name,
                               OpenMode mode) {
  auto reached = reach(name, scope);
  if (!reached) return tl::unexpected(reached.error());
  const StoredBlock& block = *reached->block;
  if (block.refusal() != Errc{}) return fail(block.refusal(), std::string(name));
  if (mode == OpenMode::read_write && block.state == BlockState::sealed) {
    return fail(Errc::sealed, std::string(name));
  }
  if (mode == OpenMode::read_write && reached->rights != Rights::read_write) {
    return fail(Errc::read_only, "open block " + std::string(name) + " for writing");
  }
  return open_block(worker, block, mode == OpenMode::read ? Rights::read : reached->rights,
                    {scope});
}

Result<Opening> Registry::open_block(Worker& worker, const StoredBlock& block, Rights rights,
                                     const OpenedAs& as) {
  const Reference* const through = as.through;
  Opening opening;
  // Nobody gets a descriptor to write with while it is sealed.
  opening.is_narrowed = block.state == BlockState::sealed && rights == Rights::read_write;
  opening.rights = opening.is_narrowed ? Rights::read : rights;
  const bool writes = opening.rights == Rights::read_write;
  auto fd = block.segment->descriptor(writes ? Access::read_write : Access::read_only, opener);
  if (!fd) return tl::unexpected(fd.error());
  for (const ScopeId scope : {as.scope, as.issuer}) {
    if (scope == ScopeId{}) continue;
    auto kept = holdings.keep(block.id, block.generation, {worker.process, scope, opening.rights});
    if (!kept) return tl::unexpected(kept.error());
  }
  Subject subject(block);
  subject.worker = worker.id;
  const auto begun = begin(EventKind::opened, subject);
  const auto open = workers.add_open(worker, {block.id, block.generation, opening.rights});
  if (!open) return tl::unexpected(open.error());
  // CRASH(open.added): an index that its worker was not told of; adoption keeps it taken.
  SESSIONBLOCKS_CRASH("open.added");
  if (through != nullptr) {
    auto kept = references.keep(worker.id, *open, *worker.open_at(*open), as.issuer);
    if (!kept) {
      workers.remove_open(worker, *open);
      return tl::unexpected(kept.error());
    }
  }
  opening.block = block.id;
  opening.generation = block.generation;
  opening.row = block.row;
  opening.bytes = block.segment->bytes();
  opening.open = *open;
  opening.descriptor = std::move(*fd);
  options.audit->block_masked(block.id, block.mask);
  options.audit->block_opened(worker.id, *open, block.id, block.generation, block.policy.name);
  // CRASH(open.logged): the same, and the log knows it.
  SESSIONBLOCKS_CRASH("open.logged");
  say(EventKind::opened, subject,
      "by worker " + std::to_string(raw(worker.id)) + " as \"" +
          std::string(sessionblocks::word(opening.rights)) + "\"" +
          (through != nullptr ? ", by " + reference_name(*through) : std::string()));
  if (through != nullptr) {
    say(EventKind::redeemed, subject,
        reference_name(*through) + " by worker " + std::to_string(raw(worker.id)));
  }
  return opening;
}

Result<platform::UniqueFd> Registry::readers_of(Worker& worker, unsigned open) {
  const OpenedBlock* opened = worker.open_at(open);
  if (opened == nullptr) return fail(Errc::invalid_argument, "readers: nothing is open there");
  const StoredBlock* block = blocks.find(opened->block);
  if (block == nullptr || block->generation != opened->generation) {
    return fail(Errc::gone, "readers: what was opened has ended");
  }
  if (rights_kept(*block, worker, open) == Rights::none) {
    return fail(Errc::denied, "readers of " + block->text() + ": no grant any more");
  }
  return block->readers->descriptor(Access::read_write, opener);
}

void Registry::close(Worker& worker, unsigned open) {
  const OpenedBlock* const opened = worker.open_at(open);
  if (opened == nullptr) return;
  const StoredBlock* const block = blocks.find(opened->block);
  Subject subject =
      block != nullptr ? Subject(*block) : Subject("block " + std::to_string(raw(opened->block)));
  subject.block = opened->block;
  subject.generation = opened->generation;
  subject.worker = worker.id;
  const auto begun = begin(EventKind::closed, subject);
  options.audit->drain_fully(worker.id);
  // CRASH(close.drained): still open; its worker asks again, or adoption keeps the index taken.
  SESSIONBLOCKS_CRASH("close.drained");
  references.forget(worker.id, open);
  workers.remove_open(worker, open);
  // CRASH(close.removed): closed, and its worker not told so.
  SESSIONBLOCKS_CRASH("close.removed");
  say(EventKind::closed, subject, "by worker " + std::to_string(raw(worker.id)));
  forget_retired();
}

Result<Opening> Registry::reopen(Worker& worker, unsigned open, OpenMode mode) {
  const OpenedBlock* const known = worker.open_at(open);
  if (known == nullptr) return fail(Errc::invalid_argument, "reopen: nothing is open there");
  const OpenedBlock opened = *known;
  const StoredBlock* const block = blocks.find(opened.block);
  if (block == nullptr) return fail(Errc::gone, "reopen: the block has ended");
  if (block->refusal() != Errc{}) return fail(block->refusal(), block->text());
  const Rights granted = rights_through_any_name(*block, worker);
  const Rights redeemed = redeemed_rights(*block, worker, open);
  const Rights rights = std::max(granted, redeemed);
  if (rights == Rights::none) return fail(Errc::denied, block->text() + ": no grant any more");
  const bool is_redeemed = redeemed > granted;
  const ScopeId issuer = is_redeemed ? references.issuer_of(worker.id, open) : ScopeId{};
  auto opening = open_block(worker, *block, mode == OpenMode::read ? Rights::read : rights,
                            {worker.scope, nullptr, issuer});
  if (opening && is_redeemed) {
    const OpenedBlock as{block->id, block->generation, redeemed};
    if (auto kept = references.keep(worker.id, opening->open, as, issuer); !kept) {
      close(worker, opening->open);
      return tl::unexpected(kept.error());
    }
  }
  return opening;
}

}  // namespace sessionblocks::director
