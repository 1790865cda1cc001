// The scopes that a worker makes: enter_scope, leave_scope, start_script.
#include <algorithm>

#include "director/requests.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::size_t kMaxTextBytes = 256;
constexpr std::size_t kMaxPathBytes = 512;
constexpr std::uint64_t kMaxNumber = std::uint64_t{1} << 53U;  // of flow scopes and requests
constexpr std::size_t kMaxArguments = 64;
constexpr std::size_t kMaxArgumentBytes = std::size_t{32} << 10U;

Result<FlowEntry> entry_of(const Worker& worker, const Fields& fields, std::string_view key) {
  const auto number = fields.number(key, kMaxNumber);
  if (!number) return tl::unexpected(number.error());
  return FlowEntry{worker.id, *number};
}

}  // namespace

Result<ScopeId> scope_of(RequestContext& context, const Worker& worker, const Fields& fields,
                         std::string_view key) {
  if (!fields.has(key)) return worker.scope;
  const auto entered = entry_of(worker, fields, key);
  if (!entered) return tl::unexpected(entered.error());
  if (const Scope* flow = context.registry.scopes.find(*entered)) return flow->id;
  return fail(Errc::gone, "the flow scope has ended");
}

Answer answer_enter_scope(RequestContext& context, Client& client, const Fields& fields) {
  const auto worker = worker_of(context, client);
  if (!worker) return tl::unexpected(worker.error());
  const auto name = fields.text("name", kMaxTextBytes);
  if (!name) return tl::unexpected(name.error());
  if (!is_name(*name)) {
    return fail(Errc::invalid_argument,
                "enter scope " + quote(*name) + ": " + std::string(kNameRule));
  }
  const auto entered = entry_of(**worker, fields, "flow");
  if (!entered) return tl::unexpected(entered.error());
  const auto parent = scope_of(context, **worker, fields, "outer");
  if (!parent) return tl::unexpected(parent.error());
  const auto flow = context.registry.enter_flow(*entered, *parent, *name, context.blocks_of_flow);
  if (!flow) return tl::unexpected(flow.error());
  Reply reply;
  reply.body = {{"scope", context.registry.scopes.find(*flow)->path}};
  return reply;
}

// Left before, or ended by whoever may: then it is over, which is what was asked for.
Answer answer_leave_scope(RequestContext& context, Client& client, const Fields& fields) {
  const auto worker = worker_of(context, client);
  if (!worker) return tl::unexpected(worker.error());
  const auto entered = entry_of(**worker, fields, "flow");
  if (!entered) return tl::unexpected(entered.error());
  if (const Scope* flow = context.registry.scopes.find(*entered)) {
    context.registry.end_flow(flow->id, "its worker left it");
  }
  return Reply{};
}

// A worker has a child of its script started; an operator any, below the parent that they name.
Answer answer_start_script(RequestContext& context, Client& client, const Fields& fields) {
  const auto parent = fields.text_or("scope", kMaxPathBytes, "");
  if (!parent) return tl::unexpected(parent.error());
  const bool is_operators = client.is_operator && client.worker == WorkerId{};
  if (!is_operators) {
    if (auto worker = worker_of(context, client); !worker) return tl::unexpected(worker.error());
  }
  const auto name = fields.text("name", kMaxTextBytes);
  if (!name) return tl::unexpected(name.error());
  const auto number = fields.number("number", kMaxNumber);
  if (!number) return tl::unexpected(number.error());
  auto arguments = fields.texts("args", kMaxArguments, kMaxArgumentBytes);
  if (!arguments) return tl::unexpected(arguments.error());
  const bool is_cut = std::any_of(arguments->begin(), arguments->end(), [](const auto& argument) {
    return argument.find('\0') != std::string::npos;
  });
  if (is_cut) return fail(Errc::invalid_argument, "args: a zero byte would end an argument");
  const auto path = context.start_script(
      {*name, std::move(*arguments), client.worker, *number, is_operators ? *parent : ""});
  if (!path) return tl::unexpected(path.error());
  Reply reply;
  reply.body = {{"scope", *path}};
  return reply;
}

Answer answer_script_status(RequestContext& context, Client& client, const Fields& fields) {
  if (client.worker == WorkerId{}) {
    if (auto proved = require_operator(client, "script_status"); !proved) {
      return tl::unexpected(proved.error());
    }
  }
  const auto name = fields.text("name", kMaxTextBytes);
  if (!name) return tl::unexpected(name.error());
  const auto number = fields.number("number", kMaxNumber);
  if (!number) return tl::unexpected(number.error());
  const StartStatus status = context.script_status(*name, *number);
  Reply reply;
  switch (status.state) {
    case StartState::running:
      reply.body = {{"state", "running"}};
      break;
    case StartState::ended:
      reply.body = {{"state", "ended"}, {"exit_code", status.exit_code}};
      break;
    case StartState::not_known:
      reply.body = {{"state", "not-known"}};
      break;
  }
  return reply;
}

}  // namespace sessionblocks::director
