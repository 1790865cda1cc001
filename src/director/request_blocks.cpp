// Blocks: open, readers, close, create, destroy.
#include "director/requests.hpp"
#include "director/suite_words.hpp"
#include "layout/block.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::size_t kMaxTextBytes = 256;
constexpr std::uint64_t kMaxLifespanMs = std::uint64_t{1} << 53U;

template <typename Enum>
struct Choice {
  std::string_view text;
  Enum value;
};

template <typename Enum, std::size_t kCount>
Result<Enum> choose(const Fields& fields, std::string_view key,
                    const Choice<Enum> (&choices)[kCount]) {
  const auto text = fields.text_or(key, kMaxTextBytes, choices[0].text);
  if (!text) return tl::unexpected(text.error());
  for (const Choice<Enum>& choice : choices) {
    if (choice.text == *text) return choice.value;
  }
  return fail(Errc::invalid_argument, "create: " + std::string(key) + " " + quote(*text));
}

constexpr Choice<sessionblocks::BlockKind> kKinds[] = {
    {"private", sessionblocks::BlockKind::private_}, {"shared", sessionblocks::BlockKind::shared}};
constexpr Choice<sessionblocks::AuditLevel> kAudits[] = {
    {"full", sessionblocks::AuditLevel::full},
    {"writes", sessionblocks::AuditLevel::writes},
    {"counted", sessionblocks::AuditLevel::counted}};
constexpr Choice<sessionblocks::FullRing> kFullRings[] = {
    {"wait", sessionblocks::FullRing::wait},
    {"fail", sessionblocks::FullRing::fail},
    {"count", sessionblocks::FullRing::count}};

Result<std::string> block_name(const Fields& fields) {
  const auto name = fields.text("name", kMaxTextBytes);
  if (!name || is_name(*name)) return name;
  return fail(Errc::invalid_argument, "block " + quote(*name) + ": " + std::string(kNameRule));
}

Result<BlockRequest> read_request(const Fields& fields) {
  BlockRequest request;
  const auto name = block_name(fields);
  if (!name) return tl::unexpected(name.error());
  const auto kind = choose(fields, "kind", kKinds);
  if (!kind) return tl::unexpected(kind.error());
  const auto audit = choose(fields, "audit", kAudits);
  if (!audit) return tl::unexpected(audit.error());
  const auto full_ring = choose(fields, "on_full_ring", kFullRings);
  if (!full_ring) return tl::unexpected(full_ring.error());
  const auto quota = fields.number_or("quota", UINT64_MAX, request.quota_bytes);
  if (!quota) return tl::unexpected(quota.error());
  const auto lifespan = fields.number_or("lifespan_ms", kMaxLifespanMs, 0);
  if (!lifespan) return tl::unexpected(lifespan.error());
  request.policy.name = *name;
  request.policy.kind = *kind;
  request.audit = *audit;
  request.full_ring = *full_ring;
  request.quota_bytes = *quota;
  request.lifespan_ms = *lifespan;
  return request;
}

// A private block belongs to the scope that asks; a shared one to its script, all of whose worker
// slots may use it, or, created from the suite's own scope, to the suite and every script.
Result<void> choose_owner(RequestContext& context, const Worker& worker, BlockRequest& request) {
  const ScopeTree& scopes = context.registry.scopes;
  const Scope* script = scopes.script_of(worker.scope);
  const bool shared = request.policy.kind == sessionblocks::BlockKind::shared;
  request.policy.owner = shared && script != nullptr ? script->id : worker.scope;
  if (script == nullptr) {
    if (shared) request.policy.grants.emplace("*", sessionblocks::Rights::read_write);
    return {};
  }
  if (context.may_create(script->name, request.policy.name)) return {};
  return fail(Errc::not_permitted, "create block " + request.policy.name +
                                       ": may_create of script " + script->name +
                                       " has no pattern for it");
}

Result<unsigned> open_index(Worker& worker, const Fields& fields) {
  const auto open = fields.number("open", layout::kMaxOpens);
  if (!open) return tl::unexpected(open.error());
  if (worker.open_at(*open) == nullptr) {
    return fail(Errc::invalid_argument, "nothing is open as " + std::to_string(*open));
  }
  return static_cast<unsigned>(*open);
}

// A worker, and one of its opens.
struct OpenedBy {
  Worker* worker = nullptr;
  unsigned open = 0;
};

Result<OpenedBy> opened_by(RequestContext& context, const Client& client, const Fields& fields) {
  const auto worker = worker_of(context, client);
  if (!worker) return tl::unexpected(worker.error());
  const auto open = open_index(**worker, fields);
  if (!open) return tl::unexpected(open.error());
  return OpenedBy{*worker, *open};
}

}  // namespace

Answer answer_open(RequestContext& context, Client& client, const Fields& fields) {
  const auto worker = worker_of(context, client);
  if (!worker) return tl::unexpected(worker.error());
  const auto name = block_name(fields);
  if (!name) return tl::unexpected(name.error());
  const auto mode = fields.number_or("mode", 2, 0);
  if (!mode) return tl::unexpected(mode.error());
  auto opening = context.registry.open(**worker, *name, static_cast<OpenMode>(*mode));
  if (!opening) return tl::unexpected(opening.error());
  Reply reply;
  reply.body = {{"row", opening->row},
                {"block", raw(opening->block)},
                {"generation", raw(opening->generation)},
                {"name", *name},
                {"bytes", opening->bytes},
                {"rights", static_cast<unsigned>(opening->rights)},
                {"open", opening->open}};
  reply.descriptor = std::move(opening->descriptor);
  return reply;
}

Answer answer_readers(RequestContext& context, Client& client, const Fields& fields) {
  const auto opened = opened_by(context, client, fields);
  if (!opened) return tl::unexpected(opened.error());
  auto descriptor = context.registry.readers_of(*opened->worker, opened->open);
  if (!descriptor) return tl::unexpected(descriptor.error());
  const auto status = platform::segment_status(descriptor->get());
  if (!status) return tl::unexpected(status.error());
  Reply reply;
  reply.body = {{"bytes", status->size_bytes}};
  reply.descriptor = std::move(*descriptor);
  return reply;
}

Answer answer_close(RequestContext& context, Client& client, const Fields& fields) {
  const auto opened = opened_by(context, client, fields);
  if (!opened) return tl::unexpected(opened.error());
  context.registry.close(*opened->worker, opened->open);
  return Reply{};
}

Answer answer_create(RequestContext& context, Client& client, const Fields& fields) {
  const auto worker = worker_of(context, client);
  if (!worker) return tl::unexpected(worker.error());
  auto request = read_request(fields);
  if (!request) return tl::unexpected(request.error());
  if (auto chosen = choose_owner(context, **worker, *request); !chosen) {
    return tl::unexpected(chosen.error());
  }
  const auto block = context.registry.create_block(*request);
  if (!block) return tl::unexpected(block.error());
  Reply reply;
  reply.body = {{"block", raw(*block)}, {"name", request->policy.name}};
  return reply;
}

Answer answer_destroy(RequestContext& context, Client& client, const Fields& fields) {
  const auto name = block_name(fields);
  if (!name) return tl::unexpected(name.error());
  Registry& registry = context.registry;
  const Worker* worker = registry.workers.find(client.worker);
  if (worker == nullptr) {
    if (auto proved = require_operator(client, "destroy"); !proved) {
      return tl::unexpected(proved.error());
    }
  }
  const ScopeId scope = worker != nullptr ? worker->scope : registry.scopes.root().id;
  const auto block = registry.visible_block(*name, scope);
  if (!block) return tl::unexpected(block.error());
  if (!client.is_operator && !registry.scopes.belongs_to(scope, (*block)->policy.owner)) {
    return fail(Errc::denied, "destroy block " + *name + ": another scope owns it");
  }
  registry.destroy_block((*block)->id,
                         "asked for by pid " + std::to_string(client.credentials.pid));
  return Reply{};
}

}  // namespace sessionblocks::director
