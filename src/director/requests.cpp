#include "director/requests.hpp"

#include <algorithm>
#include <array>
#include <new>

#include "director/suite_words.hpp"
#include "layout/worker.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::size_t kMaxOpBytes = 32;
constexpr std::size_t kMaxNameBytes = 512;

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
    Request{"fork", answer_fork},
    Request{"join", answer_join},
    Request{"destroy", answer_destroy},
    Request{"seal", answer_seal},
    Request{"unseal", answer_unseal},
    Request{"quarantine", answer_quarantine},
    Request{"release", answer_release},
    Request{"wipe", answer_wipe},
    Request{"compact", answer_compact},
    Request{"revoke", answer_revoke},
    Request{"grant", answer_grant},
    Request{"reopen", answer_reopen},
    Request{"roll_back", answer_roll_back},
    Request{"checkpoint", answer_checkpoint},
    Request{"checkpoints", answer_checkpoints},
    Request{"release_checkpoint", answer_release_checkpoint},
    Request{"snapshot", answer_snapshot},
    Request{"restore", answer_restore},
    Request{"elevate", answer_elevate},
    Request{"load", answer_load},
    Request{"delete_snapshot", answer_delete_snapshot},
    Request{"delete_datablocks", answer_delete_datablocks},
    Request{"share", answer_share},
    Request{"redeem", answer_redeem},
    Request{"check_reference", answer_check_reference},
    Request{"enter_scope", answer_enter_scope},
    Request{"leave_scope", answer_leave_scope},
    Request{"start_script", answer_start_script},
    Request{"script_status", answer_script_status},
    Request{"list", answer_list},
    Request{"findings", answer_findings},
    Request{"leaks", answer_leaks},
    Request{"act_as", answer_act_as},
    Request{"end_scope", answer_end_scope},
    Request{"stop", answer_stop},
};

std::string who_is(const Client& client) {
  std::string who = "pid " + std::to_string(client.credentials.pid);
  if (client.worker != WorkerId{}) who += ", worker " + std::to_string(raw(client.worker));
  return who;
}

Answer find_and_answer(RequestContext& context, Client& client, const Fields& fields,
                       std::string_view op) {
  for (const Request& known : kRequests) {
    if (known.op == op) return known.answer(context, client, fields);
  }
  return fail(Errc::invalid_argument, "no request " + quote(op));
}

// What a worker asks is put before the guard, and what came of it is told.
Answer dispatch(RequestContext& context, Client& client, const Message& request) {
  const Fields fields(request);
  const auto op = fields.text("op", kMaxOpBytes);
  if (!op) return tl::unexpected(op.error());
  const Worker* const worker = context.registry.workers.find(client.worker);
  if (context.guard == nullptr || worker == nullptr) {
    return find_and_answer(context, client, fields, *op);
  }
  const auto name = fields.text_or("name", kMaxNameBytes, "");
  const Asking asking{worker->id, worker->scope, *op, name ? std::string_view(*name) : ""};
  if (auto admitted = context.guard->admit(asking); !admitted) {
    return tl::unexpected(admitted.error());
  }
  Answer answered = find_and_answer(context, client, fields, *op);
  context.guard->answered(asking, answered ? Errc{} : answered.error().code());
  return answered;
}

Result<unsigned> open_index(Worker& worker, const Fields& fields) {
  const auto open = fields.number("open", layout::kMaxOpens);
  if (!open) return tl::unexpected(open.error());
  if (worker.open_at(*open) == nullptr) {
    return fail(Errc::invalid_argument, "nothing is open as " + std::to_string(*open));
  }
  return static_cast<unsigned>(*open);
}

bool is_refusal(Errc code) {
  return code == Errc::denied || code == Errc::not_permitted || code == Errc::read_only;
}

}  // namespace

Reply answer(RequestContext& context, Client& client, const Message& request) {
  std::optional<Transitions::Asking> asking;
  Answer answered;
  try {
    asking.emplace(context.registry.transitions, who_is(client), client.worker);
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
  const auto begun = registry.begin(EventKind::begun, "scope " + std::string(path));
  const auto made =
      scopes.add(sessionblocks::ScopeKind::script, scopes.root().id, path.substr(prefix.size()));
  if (made) registry.say(EventKind::begun, "scope " + std::string(path));
  return made;
}

Result<void> check_may_join(const Scope& scope) {
  if (scope.kind != sessionblocks::ScopeKind::flow) return {};
  return fail(Errc::not_permitted,
              "scope " + quote(scope.path) + ": a flow scope is its worker's alone");
}

Result<Worker*> worker_of(RequestContext& context, const Client& client) {
  Worker* worker = context.registry.workers.find(client.worker);
  if (worker == nullptr) return fail(Errc::not_attached, "this connection has not attached");
  return worker;
}

Result<OpenedBy> opened_by(RequestContext& context, const Client& client, const Fields& fields) {
  const auto worker = worker_of(context, client);
  if (!worker) return tl::unexpected(worker.error());
  // Who says what it means by the index may come late: another thread of it has closed that.
  if (fields.has("generation")) {
    const auto open = fields.number("open", layout::kMaxOpens);
    const auto block = fields.number("block", UINT32_MAX);
    const auto generation = fields.number("generation", UINT32_MAX);
    if (!open || !block || !generation) {
      return tl::unexpected((!open ? open : !block ? block : generation).error());
    }
    const OpenedBlock* const opened = (*worker)->open_at(*open);
    if (opened == nullptr || raw(opened->block) != *block ||
        raw(opened->generation) != *generation) {
      return fail(Errc::gone, "that generation of the block is not open any more");
    }
    return OpenedBy{*worker, static_cast<unsigned>(*open)};
  }
  const auto open = open_index(**worker, fields);
  if (!open) return tl::unexpected(open.error());
  return OpenedBy{*worker, *open};
}

Result<void> require_operator(const Client& client, std::string_view what) {
  if (client.is_operator) return {};
  return fail(Errc::denied, std::string(what) + ": an operator's request; prove the operator key");
}

}  // namespace sessionblocks::director
