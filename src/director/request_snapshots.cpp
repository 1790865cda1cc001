// Snapshots: snapshot, restore.
//
// A worker names a file, never a path: the director writes and reads it in its own folder. What
// stands in that folder is of other scopes too, so a worker gets back only what its own scope
// owned. Operators may name a path: they are the director's user.
#include "director/requests.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxPathBytes = 4'095;
constexpr std::size_t kMaxScopeBytes = 512;

Result<fs::path> path_of(const RequestContext& context, const Client& client,
                         const Fields& fields) {
  const auto file = fields.text("file", kMaxPathBytes);
  if (!file) return tl::unexpected(file.error());
  const bool is_path = file->starts_with('/');
  if (is_path && !client.is_operator) {
    return fail(Errc::denied, "snapshot file " + quote(*file) +
                                  ": a worker names a file in the director's own folder, such as "
                                  "\"monday\"");
  }
  const bool is_plain = is_path && file->find('\0') == std::string::npos;
  if (is_plain) return fs::path(*file);
  if (is_name(*file)) return StateFolder(context.registry.options.paths.state()).snapshot(*file);
  return fail(Errc::invalid_argument, "snapshot file " + quote(*file) + ": " +
                                          std::string(kNameRule) +
                                          (client.is_operator ? "; or an absolute path" : ""));
}

Result<SnapshotMade> make_snapshot(RequestContext& context, Client& client, const Fields& fields,
                                   const fs::path& path) {
  Registry& registry = context.registry;
  if (!fields.has("scope")) {
    const auto block = owned_block(context, client, fields, "snapshot");
    if (!block) return tl::unexpected(block.error());
    return registry.snapshot_block(**block, path);
  }
  if (auto proved = require_operator(client, "snapshot of a scope"); !proved) {
    return tl::unexpected(proved.error());
  }
  const auto name = fields.text("scope", kMaxScopeBytes);
  if (!name) return tl::unexpected(name.error());
  const Scope* scope = name->empty() ? &registry.scopes.root() : registry.scopes.find(*name);
  if (scope == nullptr) return fail(Errc::no_such_scope, "scope " + quote(*name));
  return registry.snapshot_scope(*scope, path);
}

}  // namespace

Answer answer_snapshot(RequestContext& context, Client& client, const Fields& fields) {
  const auto path = path_of(context, client, fields);
  if (!path) return tl::unexpected(path.error());
  const auto made = make_snapshot(context, client, fields, *path);
  if (!made) return tl::unexpected(made.error());
  constexpr std::size_t kMostTold = 64;  // a message holds no more; the file names all of them
  const auto told = std::min(made->left_out.size(), kMostTold);
  Reply reply;
  reply.body = {
      {"file", made->path.native()},
      {"exact", made->is_exact},
      {"blocks", made->blocks},
      {"entries", made->entries},
      {"bytes", made->bytes},
      {"left_out", std::vector(made->left_out.begin(),
                               made->left_out.begin() + static_cast<std::ptrdiff_t>(told))}};
  return reply;
}

Answer answer_restore(RequestContext& context, Client& client, const Fields& fields) {
  const auto path = path_of(context, client, fields);
  if (!path) return tl::unexpected(path.error());
  RestoreRequest request;
  const auto name = block_name(fields);
  if (!name) return tl::unexpected(name.error());
  const auto which = fields.text_or("block", layout::kNameBytes, "");
  if (!which) return tl::unexpected(which.error());
  const auto takes_damaged = fields.number_or("damaged", 1, 0);
  if (!takes_damaged) return tl::unexpected(takes_damaged.error());
  auto file = snapshot::Reader::open(path->native());
  if (!file) return tl::unexpected(file.error());
  const auto index = file->find(*which);
  if (!index) return tl::unexpected(index.error());
  const auto owner =
      owner_of_kept(context, client, fields, file->blocks()[*index].description, *name);
  if (!owner) return tl::unexpected(owner.error());
  const auto restored =
      context.registry.restore(*file, *index, {*name, *owner, *takes_damaged == 1});
  if (!restored) return tl::unexpected(restored.error());
  Reply reply;
  reply.body = {{"block", raw(restored->block)},
                {"name", *name},
                {"entries", restored->entries},
                {"expired", restored->expired},
                {"damaged", restored->damage.size()}};
  return reply;
}

}  // namespace sessionblocks::director
