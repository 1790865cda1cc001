// What only operators may do: act_as, end_scope, stop.
#include "director/requests.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {

Answer answer_end_scope(RequestContext& context, Client& client, const Fields& fields) {
  if (auto proved = require_operator(client, "end_scope"); !proved) {
    return tl::unexpected(proved.error());
  }
  const auto path = fields.text("scope", 512);
  if (!path) return tl::unexpected(path.error());
  const Scope* scope = context.registry.scopes.find(*path);
  if (scope == nullptr) return fail(Errc::no_such_scope, "scope " + quote(*path));
  if (scope->kind == sessionblocks::ScopeKind::flow) {
    context.registry.end_flow(scope->id, "an operator asked for it");
    return Reply{};
  }
  if (auto ended = context.end_scope(scope->id); !ended) return tl::unexpected(ended.error());
  return Reply{};
}

Answer answer_stop(RequestContext& context, Client& client, const Fields& /*fields*/) {
  if (auto proved = require_operator(client, "stop"); !proved) {
    return tl::unexpected(proved.error());
  }
  context.stop();
  return Reply{};
}

// An operator works on blocks as a worker of a scope, under that scope's grants and in the audit
// like any other. The token is good for as long as the scope lives, so the log says who has it.
Answer answer_act_as(RequestContext& context, Client& client, const Fields& fields) {
  if (auto proved = require_operator(client, "act_as"); !proved) {
    return tl::unexpected(proved.error());
  }
  const auto path = fields.text("scope", 512);
  if (!path) return tl::unexpected(path.error());
  Registry& registry = context.registry;
  const Scope* scope = registry.scopes.find(*path);
  if (scope == nullptr) {
    const auto made = make_script_scope(registry, context.makes_scopes, *path);
    if (!made) return tl::unexpected(made.error());
    scope = registry.scopes.find(*made);
  }
  if (auto may = check_may_join(*scope); !may) return tl::unexpected(may.error());
  const std::string who = "operator, pid " + std::to_string(client.credentials.pid);
  registry.say(EventKind::acting, who, "as scope " + scope->path);
  Reply reply;
  reply.body = {{"token", context.key.token_for({scope->id, WorkerId{}})}};
  return reply;
}

}  // namespace sessionblocks::director
