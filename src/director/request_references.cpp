// References: share, redeem, check_reference.
#include "director/requests.hpp"
#include "director/suite_words.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::size_t kMaxScopeBytes = 512;

ReferenceKey key_of(const RequestContext& context) {
  return {context.key, context.registry.instance};
}

Result<Registry::Sharing> sharing_of(const Fields& fields) {
  const auto rights = fields.number("rights", 2);
  if (!rights) return tl::unexpected(rights.error());
  if (*rights == 0) return fail(Errc::invalid_argument, "share: rights are r or rw");
  auto audience = fields.text("audience", kMaxScopeBytes);
  if (!audience) return tl::unexpected(audience.error());
  const auto lifetime = fields.number("lifetime_ms", UINT64_MAX);
  if (!lifetime) return tl::unexpected(lifetime.error());
  const auto single_use = fields.number_or("single_use", 1, 0);
  if (!single_use) return tl::unexpected(single_use.error());
  return Registry::Sharing{static_cast<sessionblocks::Rights>(*rights), std::move(*audience),
                           *lifetime, *single_use == 1};
}

// What a reference is for, as its holder may know it: all of it stands in the reference itself but
// the names.
Message description_of(Registry& registry, const Reference& reference) {
  const auto path_of = [&](ScopeId id) {
    const Scope* scope = registry.scopes.find(id);
    return scope != nullptr ? scope->path : std::string();
  };
  const StoredBlock* block = registry.blocks.find(reference.block);
  const std::uint64_t now_ms = platform::boottime_ns() / 1'000'000;
  const bool is_for_all = reference.audience == ScopeId{};
  return {{"reference", reference_name(reference)},
          {"block", raw(reference.block)},
          {"generation", raw(reference.generation)},
          {"name", block != nullptr ? block->policy.name : std::string()},
          {"rights", static_cast<unsigned>(reference.rights)},
          {"issuer", path_of(reference.issuer)},
          {"audience", is_for_all ? std::string(kAnyScope) : path_of(reference.audience)},
          {"single_use", reference.is_single_use},
          {"expires_in_ms", reference.ends_at_ms > now_ms ? reference.ends_at_ms - now_ms : 0}};
}

}  // namespace

Answer answer_share(RequestContext& context, Client& client, const Fields& fields) {
  const auto opened = opened_by(context, client, fields);
  if (!opened) return tl::unexpected(opened.error());
  const auto sharing = sharing_of(fields);
  if (!sharing) return tl::unexpected(sharing.error());
  auto token = context.registry.share(*opened->worker, opened->open, *sharing, key_of(context));
  if (!token) return tl::unexpected(token.error());
  Reply reply;
  reply.body = {{"token", std::move(*token)}};
  return reply;
}

Answer answer_redeem(RequestContext& context, Client& client, const Fields& fields) {
  const auto worker = worker_of(context, client);
  if (!worker) return tl::unexpected(worker.error());
  const auto token = fields.text("token", kMaxMessageBytes);
  if (!token) return tl::unexpected(token.error());
  auto opening = context.registry.redeem(**worker, *token, key_of(context));
  if (!opening) return tl::unexpected(opening.error());
  const std::string name = context.registry.blocks.find(opening->block)->policy.name;
  return reply_of(std::move(*opening), name);
}

// Uses nothing up. Whoever is attached asks as its scope, an operator about what the audience
// meets.
Answer answer_check_reference(RequestContext& context, Client& client, const Fields& fields) {
  const Worker* worker = context.registry.workers.find(client.worker);
  if (worker == nullptr) {
    if (auto proved = require_operator(client, "check_reference"); !proved) {
      return tl::unexpected(proved.error());
    }
  }
  const auto token = fields.text("token", kMaxMessageBytes);
  if (!token) return tl::unexpected(token.error());
  const auto reference = key_of(context).read(*token);
  if (!reference) return tl::unexpected(reference.error());
  const auto by = worker != nullptr ? std::optional(worker->scope) : std::nullopt;
  const auto block = context.registry.redeemable(*reference, by);
  Reply reply;
  reply.body = description_of(context.registry, *reference);
  if (!block) reply.body["refusal"] = error_reply(0, block.error());
  return reply;
}

}  // namespace sessionblocks::director
