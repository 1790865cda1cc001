// DataBlocks: elevate, load; and whose a block is that comes back from where it was kept.
#include "director/requests.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::size_t kMaxScopeBytes = 512;
constexpr std::size_t kMaxDataBlockBytes = 256;

bool owned_before(const ScopeTree& scopes, ScopeId scope, const snapshot::BlockDescription& from) {
  const Scope* before = scopes.find(from.owner);
  return before != nullptr && scopes.belongs_to(scope, before->id);
}

// Whose the restored block will be: a worker's own, of what that owned; or, for operators, of the
// scope that is named, or of the one that owned it.
Result<ScopeId> choose(RequestContext& context, const Client& client, const Fields& fields,
                       const snapshot::BlockDescription& from) {
  const ScopeTree& scopes = context.registry.scopes;
  const Worker* worker = context.registry.workers.find(client.worker);
  if (client.is_operator && (worker == nullptr || fields.has("owner"))) {
    const auto named = fields.text_or("owner", kMaxScopeBytes, from.owner);
    if (!named) return tl::unexpected(named.error());
    const Scope* scope = scopes.find(*named);
    if (scope != nullptr) return scope->id;
    return fail(Errc::no_such_scope, "owner: scope " + quote(*named) + "; name another owner");
  }
  if (worker == nullptr) return fail(Errc::not_attached, "this connection has not attached");
  const auto scope = scope_of(context, *worker, fields);
  if (!scope || client.is_operator) return scope;
  if (owned_before(scopes, *scope, from)) return scope;
  return fail(Errc::denied, "block " + from.name + ": another scope owned it");
}

Result<void> check_may_create(const RequestContext& context, const Client& client, ScopeId owner,
                              const std::string& name) {
  const Scope* script = context.registry.scopes.script_of(owner);
  if (client.is_operator || script == nullptr) return {};
  if (context.may_create(script->name, name)) return {};
  return fail(Errc::not_permitted, "make block " + name + ": may_create of script " + script->name +
                                       " has no pattern for it");
}

}  // namespace

Result<void> check_owned_before(RequestContext& context, const Client& client,
                                const snapshot::BlockDescription& from) {
  if (client.is_operator) return {};
  const auto worker = worker_of(context, client);
  if (!worker) return tl::unexpected(worker.error());
  if (owned_before(context.registry.scopes, (*worker)->scope, from)) return {};
  return fail(Errc::denied, "block " + from.name + ": another scope owned it");
}

Result<ScopeId> owner_of_kept(RequestContext& context, const Client& client, const Fields& fields,
                              const snapshot::BlockDescription& from, const std::string& name) {
  const auto owner = choose(context, client, fields, from);
  if (!owner) return owner;
  if (auto may = check_may_create(context, client, *owner, name); !may) {
    return tl::unexpected(may.error());
  }
  return owner;
}

Answer answer_elevate(RequestContext& context, Client& client, const Fields& fields) {
  const auto block = owned_block(context, client, fields, "elevate");
  if (!block) return tl::unexpected(block.error());
  const auto made = context.registry.elevate(**block);
  if (!made) return tl::unexpected(made.error());
  Reply reply;
  reply.body = {{"datablock", made->id}, {"entries", made->entries}};
  return reply;
}

Answer answer_load(RequestContext& context, Client& client, const Fields& fields) {
  Registry& registry = context.registry;
  const auto which = fields.text("datablock", kMaxDataBlockBytes);
  if (!which) return tl::unexpected(which.error());
  const auto name = block_name(fields);
  if (!name) return tl::unexpected(name.error());
  const StateFolder state(registry.options.paths.state());
  auto store = datablock::Store::open_read(state.datablocks().native());
  if (!store) return tl::unexpected(store.error());
  const auto from = store->find(*which);
  if (!from) return tl::unexpected(from.error());
  const auto owner = owner_of_kept(context, client, fields, from->about, *name);
  if (!owner) return tl::unexpected(owner.error());
  const auto loaded = registry.load(*store, *from, {*name, *owner, false});
  if (!loaded) return tl::unexpected(loaded.error());
  Reply reply;
  reply.body = {{"block", raw(loaded->block)},
                {"name", *name},
                {"entries", loaded->entries},
                {"expired", loaded->expired}};
  return reply;
}

}  // namespace sessionblocks::director
