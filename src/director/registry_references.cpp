// Registry: references. Who shares must itself be able to open the block so, when it shares and
// whenever somebody redeems: a reference carries its issuer's access on and is no access of its
// own. What was redeemed is therefore not shared on, unless the grants of the one who redeemed say
// more.
#include <algorithm>

#include "director/registry.hpp"
#include "director/suite_words.hpp"
#include "platform/clock.hpp"
#include "platform/random.hpp"

namespace sessionblocks::director {
namespace {

using sessionblocks::BlockState;

std::uint64_t now_ms() noexcept {
  return platform::boottime_ns() / 1'000'000;
}

std::string text_of(const Worker& worker) {
  return "worker " + std::to_string(raw(worker.id));
}

Subject subject_of(const Worker& worker) {
  return {text_of(worker), worker.id};
}

Result<std::uint64_t> new_nonce() {
  auto nonce = platform::random_u64();
  while (nonce && *nonce == 0) nonce = platform::random_u64();
  return nonce;
}

}  // namespace

Result<std::string> Registry::share(Worker& worker, unsigned open, const Sharing& sharing,
                                    const ReferenceKey& key) {
  const auto reference = make_reference(worker, open, sharing);
  if (!reference) {
    say(EventKind::denied, subject_of(worker), "share: " + reference.error().message());
    return tl::unexpected(reference.error());
  }
  const std::string what =
      "\"" + std::string(sessionblocks::word(reference->rights)) + "\" by " + text_of(worker) +
      " with " + sharing.audience + " for " + std::to_string(sharing.lifetime_ms) + " ms" +
      (reference->is_single_use ? ", once: " : ": ") + reference_name(*reference);
  Subject subject(*blocks.find(reference->block));
  subject.worker = worker.id;
  say(EventKind::shared, std::move(subject), "as " + what);
  acted(Act::share, worker.scope, reference->block);
  return key.text_of(*reference);
}

Result<Reference> Registry::make_reference(Worker& worker, unsigned open, const Sharing& sharing) {
  const OpenedBlock* opened = worker.open_at(open);
  const StoredBlock* block = opened != nullptr ? blocks.find(opened->block) : nullptr;
  if (block == nullptr || block->generation != opened->generation) {
    return fail(Errc::gone, "share: the block has ended");
  }
  const std::string what = "share " + block->text();
  if (block->refusal() != Errc{}) return fail(block->refusal(), what);
  if (!has_permit(block->permits, Permit::share)) {
    return fail(Errc::not_permitted, what + ": its permit lacks \"share\"");
  }
  const auto most = rights_through_any_name(*block, worker.scope);
  if (most == sessionblocks::Rights::none) {
    return fail(Errc::denied, what + ": no grant for this scope; what was redeemed is not shared");
  }
  if (most < sharing.rights) return fail(Errc::read_only, what + " as \"rw\"");
  if (sharing.lifetime_ms == 0 || sharing.lifetime_ms > kMaxReferenceMs) {
    return fail(Errc::invalid_argument, what + ": a lifetime is 1 ms to 24 h");
  }
  Reference reference{.block = block->id, .generation = block->generation, .issuer = worker.scope};
  if (sharing.audience != kAnyScope) {
    const Scope* audience = scopes.find(sharing.audience);
    if (audience == nullptr || audience->is_ending) {
      return fail(Errc::no_such_scope, what + " with scope " + quote(sharing.audience));
    }
    reference.audience = audience->id;
  }
  const auto nonce = new_nonce();
  if (!nonce) return tl::unexpected(nonce.error());
  reference.rights = sharing.rights;
  reference.is_single_use = sharing.is_single_use;
  reference.ends_at_ms = now_ms() + sharing.lifetime_ms;
  reference.nonce = *nonce;
  return reference;
}

Result<StoredBlock*> Registry::redeemable(const Reference& reference, std::optional<ScopeId> by) {
  const std::string name = reference_name(reference);
  const bool is_for_all = reference.audience == ScopeId{};
  if (by && !is_for_all && !scopes.belongs_to(*by, reference.audience)) {
    return fail(Errc::reference_wrong_audience, name);
  }
  if (now_ms() >= reference.ends_at_ms) return fail(Errc::reference_expired, name);
  StoredBlock* block = blocks.find(reference.block);
  if (block == nullptr) {
    return fail(Errc::gone, name + ": the block has ended");
  }
  const Scope* issuer = scopes.find(reference.issuer);
  if (issuer == nullptr || issuer->is_ending ||
      rights_through_any_name(*block, issuer->id) < reference.rights) {
    return fail(Errc::reference_revoked, name);
  }
  if (by && rights_left(*block, *by) < reference.rights) {
    return fail(Errc::denied, name + " to " + block->text() + ": these rights were revoked");
  }
  if (block->refusal() != Errc{}) {
    return fail(block->refusal(), name + " to " + block->text());
  }
  if (reference.is_single_use && references.is_used(reference.nonce)) {
    return fail(Errc::reference_used, name);
  }
  return block;
}

Result<void> Registry::mark_used(const Reference& reference) {
  return references.mark_used(reference, [this](const layout::UsedReferenceRow& row) {
    return now_ms() >= row.ends_at_ms || blocks.find(static_cast<BlockId>(row.block)) == nullptr ||
           scopes.find(static_cast<ScopeId>(row.issuer)) == nullptr;
  });
}

Result<Opening> Registry::redeem(Worker& worker, std::string_view text, const ReferenceKey& key) {
  const auto open_for = [&]() -> Result<Opening> {
    const auto reference = key.read(text);
    if (!reference) return tl::unexpected(reference.error());
    const auto block = redeemable(*reference, worker.scope);
    if (!block) return tl::unexpected(block.error());
    const auto begun = begin(EventKind::redeemed, **block, reference_name(*reference));
    if (reference->is_single_use) {
      if (auto marked = mark_used(*reference); !marked) return tl::unexpected(marked.error());
    }
    auto opening = open_block(worker, **block, reference->rights,
                              {worker.scope, &*reference, reference->issuer});
    if (!opening && reference->is_single_use) references.unmark(reference->nonce);
    if (opening) acted(Act::redeem, reference->issuer, reference->block);
    return opening;
  };
  auto opening = open_for();
  if (!opening) {
    say(EventKind::denied, subject_of(worker), "redeem: " + opening.error().message());
  }
  return opening;
}

}  // namespace sessionblocks::director
