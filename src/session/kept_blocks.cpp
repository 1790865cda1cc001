// Blocks that are kept past their scope: asking the director for it, and for what was kept.
#include "session/session_state.hpp"

namespace sessionblocks {

Result<SnapshotInfo> SessionState::snapshot(std::string_view block, std::string_view file) {
  if (is_forked()) return fail(Errc::forked);
  const auto reply = client_.request({{"op", "snapshot"}, {"name", block}, {"file", file}});
  if (!reply) return tl::unexpected(reply.error());
  return SnapshotInfo{reply->fields.value("file", ""),
                      reply->fields.value("entries", std::uint64_t{0}),
                      reply->fields.value("bytes", std::uint64_t{0})};
}

Result<void> SessionState::restore(std::string_view file, std::string_view name,
                                   std::string_view block) {
  if (is_forked()) return fail(Errc::forked);
  const auto reply =
      client_.request({{"op", "restore"}, {"file", file}, {"name", name}, {"block", block}});
  if (!reply) return tl::unexpected(reply.error());
  return {};
}

Result<std::uint64_t> SessionState::elevate(std::string_view block) {
  if (is_forked()) return fail(Errc::forked);
  const auto reply = client_.request({{"op", "elevate"}, {"name", block}});
  if (!reply) return tl::unexpected(reply.error());
  return reply->fields.value("datablock", std::uint64_t{0});
}

Result<void> SessionState::load(std::string_view datablock, std::string_view name) {
  if (is_forked()) return fail(Errc::forked);
  const auto reply = client_.request({{"op", "load"}, {"datablock", datablock}, {"name", name}});
  if (!reply) return tl::unexpected(reply.error());
  return {};
}

Result<void> SessionState::delete_snapshot(std::string_view file) {
  if (is_forked()) return fail(Errc::forked);
  const auto reply = client_.request({{"op", "delete_snapshot"}, {"file", file}});
  return reply ? Result<void>() : tl::unexpected(reply.error());
}

Result<void> SessionState::delete_datablock(std::string_view datablock) {
  if (is_forked()) return fail(Errc::forked);
  const auto reply = client_.request({{"op", "delete_datablocks"}, {"datablock", datablock}});
  return reply ? Result<void>() : tl::unexpected(reply.error());
}

}  // namespace sessionblocks
