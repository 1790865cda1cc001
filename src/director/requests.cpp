#include "director/requests.hpp"

#include <algorithm>
#include <array>
#include <new>

#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::size_t kMaxOpBytes = 32;

struct Request {
  std::string_view op;
  Answer (*answer)(RequestContext&, Client&, const Fields&);
};

constexpr std::array kRequests = {
    Request{"operator", answer_operator},
    Request{"attach", answer_attach},
    Request{"worker_segment", answer_worker_segment},
    Request{"detach", answer_detach},
    Request{"open", answer_open},
    Request{"readers", answer_readers},
    Request{"close", answer_close},
    Request{"create", answer_create},
    Request{"destroy", answer_destroy},
    Request{"list", answer_list},
    Request{"act_as", answer_act_as},
    Request{"end_scope", answer_end_scope},
    Request{"stop", answer_stop},
};

std::string who_is(const Client& client) {
  std::string who = "pid " + std::to_string(client.credentials.pid);
  if (client.worker != WorkerId{}) who += ", worker " + std::to_string(raw(client.worker));
  return who;
}

Answer dispatch(RequestContext& context, Client& client, const Message& request) {
  const Fields fields(request);
  const auto op = fields.text("op", kMaxOpBytes);
  if (!op) return tl::unexpected(op.error());
  for (const Request& known : kRequests) {
    if (known.op == *op) return known.answer(context, client, fields);
  }
  return fail(Errc::invalid_argument, "no request " + quote(*op));
}

bool is_refusal(Errc code) {
  return code == Errc::denied || code == Errc::not_permitted || code == Errc::read_only;
}

}  // namespace

Reply answer(RequestContext& context, Client& client, const Message& request) {
  Answer answered;
  try {
    answered = dispatch(context, client, request);
  } catch (const std::bad_alloc&) {
    answered = fail(Errc::out_of_memory);
  } catch (const std::exception& error) {
    answered = fail(Errc::io_error, std::string(error.what()));
  }
  if (answered) return std::move(*answered);
  if (is_refusal(answered.error().code())) {
    context.registry.say(EventKind::denied, who_is(client), answered.error().message());
  }
  return {error_reply(0, answered.error()), {}};
}

bool may_create_block(const Suite* suite, std::string_view script, std::string_view block) {
  if (suite == nullptr) return true;
  for (const ScriptSpec& spec : suite->scripts) {
    if (spec.name != script) continue;
    return std::any_of(spec.may_create.begin(), spec.may_create.end(),
                       [block](const auto& pattern) { return matches_pattern(pattern, block); });
  }
  return false;
}

Result<ScopeId> make_script_scope(Registry& registry, bool makes_scopes, std::string_view path) {
  ScopeTree& scopes = registry.scopes;
  const std::string prefix = scopes.root().path + "/";
  const bool below = path.substr(0, prefix.size()) == prefix;
  if (!makes_scopes || !below || !is_name(path.substr(prefix.size()))) {
    return fail(Errc::no_such_scope, "scope " + quote(path));
  }
  return scopes.add(sessionblocks::ScopeKind::script, scopes.root().id, path.substr(prefix.size()));
}

Result<Worker*> worker_of(RequestContext& context, const Client& client) {
  Worker* worker = context.registry.workers.find(client.worker);
  if (worker == nullptr) return fail(Errc::not_attached, "this connection has not attached");
  return worker;
}

Result<void> require_operator(const Client& client, std::string_view what) {
  if (client.is_operator) return {};
  return fail(Errc::denied, std::string(what) + ": an operator's request; prove the operator key");
}

}  // namespace sessionblocks::director
