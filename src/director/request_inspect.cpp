// Listings, some rows at a time. Attached workers may ask too: control, which they map, holds the
// same. The cursor is the last id that was sent, so rows that come and go meanwhile do no harm.
#include "director/requests.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::size_t kRowsAtOnce = 64;  // 64 KiB hold them whatever the names are
constexpr std::uint64_t kMaxId = 0xFFFF'FFFFU;

Message row_of(Registry& registry, const StoredBlock& block) {
  const Scope* owner = registry.scopes.find(block.policy.owner);
  return {{"block", raw(block.id)},
          {"generation", raw(block.generation)},
          {"name", block.policy.name},
          {"kind", std::string(sessionblocks::word(block.policy.kind))},
          {"state", std::string(sessionblocks::word(block.state))},
          {"owner", owner != nullptr ? owner->path : std::string()},
          {"from", block.from},
          {"row", block.row},
          {"quota", block.quota_bytes},
          {"reserved", block.reserved_bytes()}};
}

Message row_of(Registry& registry, const Worker& worker) {
  const Scope* scope = registry.scopes.find(worker.scope);
  return {{"worker", raw(worker.id)},
          {"scope", scope != nullptr ? scope->path : std::string()},
          {"pid", worker.process.pid},
          {"state", worker.state == WorkerState::starting ? "starting" : "attached"}};
}

Message row_of(Registry& registry, const Scope& scope) {
  const Scope* parent = registry.scopes.find(scope.parent);
  return {{"scope", raw(scope.id)},
          {"path", scope.path},
          {"kind", std::string(sessionblocks::word(scope.kind))},
          {"parent", parent != nullptr ? parent->path : std::string()},
          {"ending", scope.is_ending}};
}

template <typename Map>
Reply list(Registry& registry, const Map& map, std::uint64_t cursor) {
  Message rows = Message::array();
  auto at = map.upper_bound(static_cast<typename Map::key_type>(cursor));
  for (; at != map.end() && rows.size() < kRowsAtOnce; ++at) {
    rows.push_back(row_of(registry, at->second));
    cursor = raw(at->first);
  }
  Reply reply;
  reply.body["rows"] = std::move(rows);
  if (at != map.end()) reply.body["cursor"] = cursor;
  return reply;
}

}  // namespace

Answer answer_list(RequestContext& context, Client& client, const Fields& fields) {
  if (client.worker == WorkerId{}) {
    if (auto proved = require_operator(client, "list"); !proved) {
      return tl::unexpected(proved.error());
    }
  }
  const auto what = fields.text("what", 16);
  if (!what) return tl::unexpected(what.error());
  const auto cursor = fields.number_or("cursor", kMaxId, 0);
  if (!cursor) return tl::unexpected(cursor.error());
  Registry& registry = context.registry;
  if (*what == "blocks") return list(registry, registry.blocks.all(), *cursor);
  if (*what == "workers") return list(registry, registry.workers.all(), *cursor);
  if (*what == "scopes") return list(registry, registry.scopes.all(), *cursor);
  return fail(Errc::invalid_argument, "list " + quote(*what) + ": blocks, workers or scopes");
}

}  // namespace sessionblocks::director
