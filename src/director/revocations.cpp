#include "director/revocations.hpp"

#include <algorithm>
#include <cstring>

#include "core/crash_point.hpp"
#include "director/registry.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

using How = sessionblocks::Enforce;
using Left = sessionblocks::Rights;

std::string left_text(Left left) {
  return left == Left::none ? std::string("nothing") : "\"" + std::string(word(left)) + "\"";
}

Result<void> check_memory(const StoredBlock& block, std::string_view verb) {
  if (block.segment) return {};
  return fail(Errc::invalid_argument, std::string(verb) + " " + block.text() +
                                          ": it has no memory of its own; name the block that it "
                                          "comes from");
}

}  // namespace

Result<Revocation*> Revocations::write_down(StoredBlock& block, const Revoking& what) {
  const std::string text = "revoke " + block.text() + " from " + what.from;
  const auto known = std::find_if(block.revocations.begin(), block.revocations.end(),
                                  [&](const auto& one) { return one.path == what.from; });
  if (known != block.revocations.end()) {
    if (known->left < what.left) {
      return fail(Errc::invalid_argument, text + ": " + left_text(known->left) +
                                              " is left to it already; grant gives it back");
    }
    layout::RevocationRow& row = registry_.control.revocation(known->row);
    row.enforcing = known->enforcing = what.by.code();
    row.left = static_cast<std::uint32_t>(known->left = what.left);
    return &*known;
  }
  if (registry_.scopes.find(what.from) == nullptr) {
    return fail(Errc::no_such_scope, text + ": sessionctl ls scopes shows those that there are");
  }
  if (what.from.size() >= layout::kRevokedPathBytes) {
    return fail(Errc::invalid_argument, text + ": the path is longer than " +
                                            std::to_string(layout::kRevokedPathBytes - 1) +
                                            " bytes; revoke it from a scope above");
  }
  const std::size_t reserved = what.is_by_operator ? 0 : kRevocationsForOperators;
  if (block.revocations.size() >= kMostRevocationsOfBlock ||
      rows_ + reserved >= layout::kRevocationRows) {
    return fail(Errc::too_many, text + ": " + std::to_string(block.revocations.size()) +
                                    " revocations of it stand, " + std::to_string(rows_) +
                                    " in the system; revoke it from a scope above these");
  }
  block.revocations.push_back({what.from, what.left, 0, what.by.code()});
  const auto row = registry_.control.publish(
      RevocationRowFields{block.id, what.left, what.by.code(), what.from});
  if (!row) {
    block.revocations.pop_back();
    return tl::unexpected(row.error());
  }
  block.revocations.back().row = *row;
  ++rows_;
  return &block.revocations.back();
}

Result<void> Revocations::revoke(StoredBlock& block, const Revoking& what, std::string_view why) {
  if (auto has = check_memory(block, "revoke"); !has) return has;
  const std::string detail = "from " + what.from + ", " + left_text(what.left) + " left";
  const auto begun = registry_.begin(EventKind::revoked, block, detail);
  const auto written = write_down(block, what);
  if (!written) return tl::unexpected(written.error());
  // CRASH(revoke.stands): nobody is given more than is left; who holds more still does, and
  // adoption deals with that.
  SESSIONBLOCKS_CRASH("revoke.stands");
  const std::string text = block.text();
  registry_.say(EventKind::revoked, block, detail + ", " + std::string(why));
  const BlockId id = block.id;
  auto outcome = enforce(block, what.from, what.by);
  // CRASH(revoke.enforced): all done, and control says that it is under way; adoption looks again.
  SESSIONBLOCKS_CRASH("revoke.enforced");
  if (!outcome) {
    registry_.say(EventKind::failed, "revoke " + text, outcome.error().message());
    return outcome;
  }
  // A flow scope whose worker was killed has ended, with its blocks.
  StoredBlock* const left = registry_.blocks.find(id);
  if (left == nullptr) return {};
  for (Revocation& one : left->revocations) {
    if (one.path != what.from) continue;
    registry_.control.revocation(one.row).enforcing = one.enforcing = 0;
  }
  return {};
}

Result<void> Revocations::grant_back(StoredBlock& block, std::string_view path,
                                     std::string_view why) {
  if (auto has = check_memory(block, "grant"); !has) return has;
  const auto known = std::find_if(block.revocations.begin(), block.revocations.end(),
                                  [&](const auto& one) { return one.path == path; });
  if (known == block.revocations.end()) {
    std::string all;
    for (const Revocation& one : block.revocations) all += (all.empty() ? "" : ", ") + one.path;
    return fail(Errc::invalid_argument, "grant " + block.text() + " to " + quote(path) +
                                            ": nothing was revoked from it" +
                                            (all.empty() ? std::string() : "; it was from " + all));
  }
  const std::string detail = "back to " + std::string(path) + ", " + std::string(why);
  const auto begun = registry_.begin(EventKind::granted, block, detail);
  registry_.control.withdraw_revocation(known->row);
  block.revocations.erase(known);
  --rows_;
  // CRASH(grant.withdrawn): all done but the log's note of it.
  SESSIONBLOCKS_CRASH("grant.withdrawn");
  registry_.say(EventKind::granted, block, detail);
  return {};
}

void Revocations::adopt() {
  for (std::uint32_t row = 0; row < layout::kRevocationRows; ++row) {
    const layout::RevocationRow& stored = registry_.control.revocation(row);
    const auto id = static_cast<BlockId>(stored.block.load(std::memory_order_acquire));
    if (id == BlockId{}) continue;
    StoredBlock* const block = registry_.blocks.find(id);
    if (block == nullptr) {
      registry_.control.withdraw_revocation(row);
      continue;
    }
    const std::string path(stored.path, ::strnlen(stored.path, sizeof stored.path));
    block->revocations.push_back({path, static_cast<Left>(stored.left), row, stored.enforcing});
    ++rows_;
  }
}

// Adoption calls it before this director has a lane to copy with, and the start once it has.
void Revocations::finish() {
  const bool can_swap = registry_.own_lane() != nullptr;
  std::vector<std::pair<BlockId, Revocation>> begun;
  for (const auto& [id, block] : registry_.blocks.all()) {
    for (const Revocation& one : block.revocations) {
      if (one.enforcing != 0) begun.emplace_back(id, one);
    }
  }
  for (const auto& [id, one] : begun) {
    const Enforcement by = Enforcement::of(one.enforcing);
    StoredBlock* const block = registry_.blocks.find(id);
    if (block == nullptr || (!can_swap && by.how != How::kill)) continue;
    const Revoking again{one.path, one.left, by, true};
    static_cast<void>(revoke(*block, again, "an earlier director began to"));
  }
}

void Revocations::forget(StoredBlock& block) noexcept {
  for (const Revocation& one : block.revocations) {
    registry_.control.withdraw_revocation(one.row);
    --rows_;
  }
  block.revocations.clear();
}

// Whether it was given for the scope at `path` or below. A worker's own scope may have been given
// what one of its flow scopes loses.
bool Revocations::concerns(std::string_view path, ScopeId given_for) const {
  const Scope* const given = registry_.scopes.find(given_for);
  if (given == nullptr || is_at_or_below(given->path, path)) return true;
  const Scope* const from = registry_.scopes.find(path);
  return from != nullptr && from->kind == sessionblocks::ScopeKind::flow &&
         registry_.scopes.is_at_or_below(from->id, given->id);
}

std::vector<platform::ProcessIdentity> Revocations::losers(const StoredBlock& block,
                                                           std::string_view path) {
  std::vector<platform::ProcessIdentity> found;
  const auto add = [&](const platform::ProcessIdentity& process) {
    if (std::find(found.begin(), found.end(), process) == found.end()) found.push_back(process);
  };
  for (const Holding& holding : registry_.holdings.of(block.id, block.generation)) {
    if (!concerns(path, holding.scope)) continue;
    if (holding.rights > registry_.rights_of_process(block, holding.process)) add(holding.process);
  }
  // One of several workers of a process may lose what another one keeps.
  for (const auto& [id, worker] : registry_.workers.all()) {
    if (worker.is_director || !worker.segment) continue;
    for (const auto& [open, opened] : worker.opens) {
      if (opened.block != block.id || opened.generation != block.generation) continue;
      const ScopeId issuer = registry_.references.issuer_of(id, open);
      const bool is_concerned =
          concerns(path, worker.scope) || (issuer != ScopeId{} && concerns(path, issuer));
      if (is_concerned && opened.rights > registry_.rights_of_open(block, worker, open)) {
        add(worker.process);
      }
    }
  }
  return found;
}

Result<void> Revocations::enforce(StoredBlock& block, const std::string& path, Enforcement by) {
  const std::string text = block.text();
  const BlockId id = block.id;
  registry_.empty_retired(id);
  auto who = losers(block, path);
  if (who.empty()) return {};
  registry_.ask_losers_to_unmap(block);
  Result<void> killed;
  if (by.how == How::kill) {
    killed = registry_.states.kill(who, text);
    StoredBlock* const left = registry_.blocks.find(id);
    if (left == nullptr) return {};
    who = losers(*left, path);
    if (who.empty()) return {};
  }
  StoredBlock* const now = registry_.blocks.find(id);
  if (now == nullptr) return {};
  // Whom nobody can kill (this very process) is left behind like anybody else.
  auto renewed = registry_.generations.renew(*now);
  if (renewed || by.how == How::cooperative || !by.may_kill) return renewed;
  registry_.say(EventKind::failed, "renew " + text, renewed.error().message());
  return by.how == How::kill ? killed : registry_.states.kill(who, text);
}

}  // namespace sessionblocks::director
