// What only operators may do: end_scope, stop.
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

}  // namespace sessionblocks::director
