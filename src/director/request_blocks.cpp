// Blocks: open, readers, close, create, destroy.
#include "director/request_ending.hpp"
#include "director/requests.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::size_t kMaxTextBytes = 256;
constexpr std::size_t kMaxPermits = 16;
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
constexpr Choice<sessionblocks::Enforce> kEnforces[] = {
    {"cooperative", sessionblocks::Enforce::cooperative},
    {"swap", sessionblocks::Enforce::swap},
    {"kill", sessionblocks::Enforce::kill}};
constexpr Choice<sessionblocks::AtLimit> kAtLimits[] = {
    {"refuse", sessionblocks::AtLimit::refuse},
    {"evict-expired", sessionblocks::AtLimit::evict_expired},
    {"evict-lru", sessionblocks::AtLimit::evict_lru}};

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
  const auto enforce = choose(fields, "enforce", kEnforces);
  if (!enforce) return tl::unexpected(enforce.error());
  const auto at_limit = choose(fields, "at_limit", kAtLimits);
  if (!at_limit) return tl::unexpected(at_limit.error());
  const auto log_values = fields.number_or("log_values", 1, 0);
  if (!log_values) return tl::unexpected(log_values.error());
  const auto quota = fields.number_or("quota", UINT64_MAX, request.quota_bytes);
  if (!quota) return tl::unexpected(quota.error());
  const auto lifespan = fields.number_or("lifespan_ms", kMaxLifespanMs, 0);
  if (!lifespan) return tl::unexpected(lifespan.error());
  const auto permits = fields.texts("permit", kMaxPermits);
  if (!permits) return tl::unexpected(permits.error());
  const auto bits = permit_bits(*permits);
  if (!bits) return tl::unexpected(bits.error());
  request.permits = *bits;
  const auto sensitive = fields.texts("sensitive", kMostSensitivePatterns);
  if (!sensitive) return tl::unexpected(sensitive.error());
  if (auto checked = check_patterns(*sensitive); !checked) return tl::unexpected(checked.error());
  request.sensitive = *sensitive;
  request.policy.name = *name;
  request.policy.kind = *kind;
  request.audit = *audit;
  request.full_ring = *full_ring;
  request.enforce = *enforce;
  request.at_limit = *at_limit;
  request.logs_values = *log_values == 1;
  request.quota_bytes = *quota;
  request.lifespan_ms = *lifespan;
  const auto ending = read_ending(fields);
  if (!ending) return tl::unexpected(ending.error());
  request.ending = *ending;
  return request;
}

// A script under a suite may let others use and copy what it makes: whoever holds a block can hand
// its contents on anyway. That contents outlive the scope is for the suite file to say.
Result<void> check_permits(const RequestContext& context, const BlockRequest& request) {
  const bool outlives =
      has_permit(request.permits, Permit::persist) || has_permit(request.permits, Permit::elevate);
  if (!context.has_suite || !outlives) return {};
  return fail(Errc::not_permitted,
              "create block " + request.policy.name +
                  ": a script gives only the permits share and fork; declare the block in the "
                  "suite file to permit persist or elevate");
}

// A private block belongs to the scope that asks; a shared one to its script, all of whose worker
// slots may use it, or, created from the suite's own scope, to the suite and every script. A block
// of a flow scope ends with it, so it cannot be one that others were given.
Result<void> choose_owner(RequestContext& context, ScopeId scope, BlockRequest& request) {
  const ScopeTree& scopes = context.registry.scopes;
  const Scope* script = scopes.script_of(scope);
  const bool shared = request.policy.kind == sessionblocks::BlockKind::shared;
  if (shared && scopes.find(scope)->kind == sessionblocks::ScopeKind::flow) {
    return fail(Errc::invalid_argument, "create block " + request.policy.name +
                                            ": a flow scope's blocks are private; create a " +
                                            "shared one through the session");
  }
  request.policy.owner = shared && script != nullptr ? script->id : scope;
  if (script == nullptr) {
    if (shared) request.policy.grants.emplace("*", sessionblocks::Rights::read_write);
    return {};
  }
  if (!context.may_create(script->name, request.policy.name)) {
    return fail(Errc::not_permitted, "create block " + request.policy.name +
                                         ": may_create of script " + script->name +
                                         " has no pattern for it");
  }
  return check_permits(context, request);
}

}  // namespace

Reply reply_of(Opening opening, const std::string& name) {
  Reply reply;
  reply.body = {{"row", opening.row},
                {"block", raw(opening.block)},
                {"generation", raw(opening.generation)},
                {"name", name},
                {"bytes", opening.bytes},
                {"rights", static_cast<unsigned>(opening.rights)},
                {"open", opening.open}};
  if (opening.is_narrowed) reply.body["narrowed"] = 1;
  reply.descriptor = std::move(opening.descriptor);
  return reply;
}

Answer answer_open(RequestContext& context, Client& client, const Fields& fields) {
  const auto worker = worker_of(context, client);
  if (!worker) return tl::unexpected(worker.error());
  const auto name = block_name(fields);
  if (!name) return tl::unexpected(name.error());
  const auto mode = fields.number_or("mode", 2, 0);
  if (!mode) return tl::unexpected(mode.error());
  const auto scope = scope_of(context, **worker, fields);
  if (!scope) return tl::unexpected(scope.error());
  auto opening = context.registry.open(**worker, *scope, *name, static_cast<OpenMode>(*mode));
  if (!opening) return tl::unexpected(opening.error());
  return reply_of(std::move(*opening), *name);
}

Answer answer_reopen(RequestContext& context, Client& client, const Fields& fields) {
  const auto opened = opened_by(context, client, fields);
  if (!opened) return tl::unexpected(opened.error());
  const auto mode = fields.number_or("mode", 2, 0);
  if (!mode) return tl::unexpected(mode.error());
  auto opening =
      context.registry.reopen(*opened->worker, opened->open, static_cast<OpenMode>(*mode));
  if (!opening) return tl::unexpected(opening.error());
  return reply_of(std::move(*opening), "reopened");
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
  const auto scope = scope_of(context, **worker, fields);
  if (!scope) return tl::unexpected(scope.error());
  if (auto chosen = choose_owner(context, *scope, *request); !chosen) {
    return tl::unexpected(chosen.error());
  }
  auto ends = choose_ending(context.registry.scopes, context.has_suite, *request);
  if (!ends) return tl::unexpected(ends.error());
  const auto block = context.registry.create_block(*request);
  if (!block) return tl::unexpected(block.error());
  Reply reply;
  reply.body = {{"block", raw(*block)}, {"name", request->policy.name}};
  return reply;
}

// A clone of what the worker has open, as a block of the scope that asks. Named, or after its
// origin with the first number that is free.
Answer answer_fork(RequestContext& context, Client& client, const Fields& fields) {
  const auto opened = opened_by(context, client, fields);
  if (!opened) return tl::unexpected(opened.error());
  const auto scope = scope_of(context, *opened->worker, fields);
  if (!scope) return tl::unexpected(scope.error());
  Registry& registry = context.registry;
  const StoredBlock* const origin =
      registry.blocks.find(opened->worker->open_at(opened->open)->block);
  if (origin == nullptr) return fail(Errc::gone, "fork: the block has ended");
  if (registry.rights_kept(*origin, *opened->worker, opened->open) == sessionblocks::Rights::none) {
    return fail(Errc::denied, "fork " + origin->text() + ": no grant any more");
  }
  BlockRequest request;
  request.policy.kind = sessionblocks::BlockKind::forked;
  request.policy.owner = *scope;
  request.quota_bytes = origin->quota_bytes;
  request.audit = origin->audit;
  request.full_ring = origin->full_ring;
  request.enforce = origin->enforce;
  request.at_limit = origin->at_limit;
  request.logs_values = origin->logs_values;
  request.permits = origin->permits;
  request.from = origin->policy.name;
  if (fields.has("name")) {
    const auto name = block_name(fields);
    if (!name) return tl::unexpected(name.error());
    request.policy.name = *name;
  } else {
    for (int number = 1;
         request.policy.name.empty() || !registry.blocks.named(request.policy.name).empty();
         ++number) {
      request.policy.name = origin->policy.name + "-fork-" + std::to_string(number);
    }
    if (!is_name(request.policy.name)) {
      return fail(Errc::invalid_argument,
                  "fork " + origin->text() +
                      ": its name is too long to be "
                      "one of a fork's with a number behind it; name the fork");
    }
  }
  const auto block = registry.forks.fork(origin->id, request);
  if (!block) return tl::unexpected(block.error());
  Reply reply;
  reply.body = {{"block", raw(*block)}, {"name", request.policy.name}};
  return reply;
}

Answer answer_destroy(RequestContext& context, Client& client, const Fields& fields) {
  const auto block = owned_block(context, client, fields, "destroy");
  if (!block) return tl::unexpected(block.error());
  context.registry.destroy_block((*block)->id, asked_for_by(client));
  return Reply{};
}

}  // namespace sessionblocks::director
