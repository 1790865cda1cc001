// The states of blocks: seal, unseal, quarantine, release, wipe, compact.
//
// Operators may ask for all of them. The scope that owns a block may seal and wipe it, as it may
// destroy it; giving back what was taken away is the operator's.
#include "director/requests.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::size_t kMaxTextBytes = 256;

Answer change_state(RequestContext& context, Client& client, const Fields& fields, Transition what,
                    std::string_view verb) {
  const auto block = owned_block(context, client, fields, verb);
  if (!block) return tl::unexpected(block.error());
  const auto by = enforcement(client, fields, **block);
  if (!by) return tl::unexpected(by.error());
  auto changed = context.registry.states.change(**block, what, asked_for_by(client), *by);
  if (!changed) return tl::unexpected(changed.error());
  return Reply{};
}

Answer change_as_operator(RequestContext& context, Client& client, const Fields& fields,
                          Transition what, std::string_view verb) {
  if (auto proved = require_operator(client, verb); !proved) return tl::unexpected(proved.error());
  return change_state(context, client, fields, what, verb);
}

}  // namespace

Result<std::string> block_name(const Fields& fields) {
  const auto name = fields.text("name", kMaxTextBytes);
  if (!name || is_name(*name)) return name;
  return fail(Errc::invalid_argument, "block " + quote(*name) + ": " + std::string(kNameRule));
}

std::string asked_for_by(const Client& client) {
  return "asked for by pid " + std::to_string(client.credentials.pid);
}

Result<std::optional<Enforcement>> enforcement(const Client& client, const Fields& fields,
                                               const StoredBlock& block) {
  using sessionblocks::Enforce;
  if (!fields.has("enforce")) return std::optional<Enforcement>();
  const auto text = fields.text("enforce", kMaxTextBytes);
  if (!text) return tl::unexpected(text.error());
  std::optional<Enforce> how;
  for (const Enforce known : {Enforce::cooperative, Enforce::swap, Enforce::kill}) {
    if (sessionblocks::word(known) == *text) how = known;
  }
  if (!how) {
    return fail(Errc::invalid_argument, "enforce " + quote(*text) + ": cooperative, swap or kill");
  }
  if (client.is_operator || *how == block.enforce) return std::optional(Enforcement{*how});
  if (*how != Enforce::swap) {
    return fail(Errc::not_permitted,
                "enforce " + quote(*text) + ": the policy of " + block.text() + " is \"" +
                    std::string(sessionblocks::word(block.enforce)) +
                    "\"; its owner may ask for that or for swap, an operator for any");
  }
  // Who may be killed is for the block's policy to say.
  return std::optional(Enforcement{*how, block.enforce != Enforce::cooperative});
}

Result<StoredBlock*> owned_block(RequestContext& context, const Client& client,
                                 const Fields& fields, std::string_view verb) {
  Registry& registry = context.registry;
  const Worker* worker = registry.workers.find(client.worker);
  if (worker == nullptr) {
    if (auto proved = require_operator(client, verb); !proved) {
      return tl::unexpected(proved.error());
    }
  }
  if (client.is_operator && fields.has("block")) {
    const auto id = fields.number("block", UINT32_MAX);
    if (!id) return tl::unexpected(id.error());
    StoredBlock* const block = registry.blocks.find(static_cast<BlockId>(*id));
    if (block != nullptr) return block;
    return fail(Errc::no_such_block, "block #" + std::to_string(*id));
  }
  const auto name = block_name(fields);
  if (!name) return tl::unexpected(name.error());
  const auto scope = worker != nullptr ? scope_of(context, *worker, fields)
                                       : Result<ScopeId>(registry.scopes.root().id);
  if (!scope) return tl::unexpected(scope.error());
  const auto block = registry.visible_block(*name, *scope);
  if (!block) return block;
  if (!client.is_operator && !registry.scopes.belongs_to(*scope, (*block)->policy.owner)) {
    return fail(Errc::denied, std::string(verb) + " block " + *name + ": another scope owns it");
  }
  if (!client.is_operator && registry.rights_left(**block, *scope) == sessionblocks::Rights::none) {
    return fail(Errc::denied,
                std::string(verb) + " block " + *name + ": its rights on it were revoked");
  }
  return block;
}

Answer answer_seal(RequestContext& context, Client& client, const Fields& fields) {
  return change_state(context, client, fields, Transition::seal, "seal");
}
Answer answer_compact(RequestContext& context, Client& client, const Fields& fields) {
  const auto block = owned_block(context, client, fields, "compact");
  if (!block) return tl::unexpected(block.error());
  auto compacted = context.registry.generations.compact(**block, asked_for_by(client));
  if (!compacted) return tl::unexpected(compacted.error());
  return Reply{};
}
Answer answer_wipe(RequestContext& context, Client& client, const Fields& fields) {
  return change_state(context, client, fields, Transition::wipe, "wipe");
}
Answer answer_unseal(RequestContext& context, Client& client, const Fields& fields) {
  return change_as_operator(context, client, fields, Transition::unseal, "unseal");
}
Answer answer_quarantine(RequestContext& context, Client& client, const Fields& fields) {
  return change_as_operator(context, client, fields, Transition::quarantine, "quarantine");
}
Answer answer_release(RequestContext& context, Client& client, const Fields& fields) {
  return change_as_operator(context, client, fields, Transition::release, "release");
}

}  // namespace sessionblocks::director
