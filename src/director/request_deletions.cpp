// Deleting what was kept: delete_snapshot, delete_datablocks.
//
// An operator deletes anything; a worker what its own scope, or its script, owned: what it may
// restore and load.
#include "director/deletions.hpp"
#include "director/requests.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::size_t kMaxNameBytes = 256;

Result<MayDelete> may_delete(RequestContext& context, const Client& client) {
  if (client.worker == WorkerId{} && !client.is_operator) {
    return fail(Errc::not_attached, "this connection has not attached");
  }
  return [&context, &client](const snapshot::BlockDescription& from) {
    return check_owned_before(context, client, from);
  };
}

}  // namespace

Answer answer_delete_snapshot(RequestContext& context, Client& client, const Fields& fields) {
  const auto name = fields.text("file", kMaxNameBytes);
  if (!name) return tl::unexpected(name.error());
  const auto keeps_keys = fields.number_or("keep_keys", 1, 0);
  if (!keeps_keys) return tl::unexpected(keeps_keys.error());
  const auto may = may_delete(context, client);
  if (!may) return tl::unexpected(may.error());
  Registry& registry = context.registry;
  const StateFolder state(registry.options.paths.state());
  const auto begun = registry.begin(EventKind::deleted, "snapshot " + *name);
  const auto deleted = delete_snapshot(state, *name, *keeps_keys == 1, *may);
  if (!deleted) return tl::unexpected(deleted.error());
  const std::string what = "snapshot " + *name;
  registry.say(EventKind::deleted, what,
               std::to_string(deleted->keys) + " keys, " + asked_for_by(client));
  Reply reply;
  reply.body = {{"keys", deleted->keys}, {"keys_kept", deleted->kept}};
  return reply;
}

Answer answer_delete_datablocks(RequestContext& context, Client& client, const Fields& fields) {
  const auto which = fields.text("datablock", kMaxNameBytes);
  if (!which) return tl::unexpected(which.error());
  const auto all = fields.number_or("all", 1, 0);
  if (!all) return tl::unexpected(all.error());
  const auto may = may_delete(context, client);
  if (!may) return tl::unexpected(may.error());
  Registry& registry = context.registry;
  const StateFolder state(registry.options.paths.state());
  const auto begun = registry.begin(EventKind::deleted, "DataBlocks " + *which);
  const auto deleted = delete_datablocks(state, *which, *all == 1, *may);
  if (!deleted) return tl::unexpected(deleted.error());
  for (const datablock::DataBlock& one : *deleted) {
    const std::string what = "DataBlock " + std::to_string(one.id);
    const std::string of = "of " + one.about.name + ", " + asked_for_by(client);
    registry.say(EventKind::deleted, what, of);
  }
  Reply reply;
  reply.body = {{"deleted", deleted->size()}};
  return reply;
}

}  // namespace sessionblocks::director
