// References: a block that is handed to another scope, and taken by one.
#include "session/block_handle.hpp"

namespace sessionblocks {

Result<std::string> SessionState::share(const BlockHandle& block, const ShareOptions& options) {
  if (is_forked()) return fail(Errc::forked);
  if (!block.is_of(*this)) {
    return fail(Errc::invalid_argument,
                "share block " + block.name() + ": another session opened it");
  }
  if (options.rights != "r" && options.rights != "rw") {
    return fail(Errc::invalid_argument,
                "share block " + block.name() + ": rights \"" + options.rights + "\", r or rw");
  }
  const auto reply = ask_of(
      block, "share",
      {{"rights", static_cast<unsigned>(options.rights == "r" ? Rights::read : Rights::read_write)},
       {"audience", options.audience},
       // A negative one becomes too long, and is refused as that.
       {"lifetime_ms", static_cast<std::uint64_t>(options.lifetime.count())},
       {"single_use", options.single_use ? 1U : 0U}});
  if (!reply) return tl::unexpected(reply.error());
  auto token = reply->value("token", "");
  if (token.empty()) return fail(Errc::malformed, "reply to share: no token");
  return token;
}

Result<std::shared_ptr<BlockHandle>> SessionState::redeem(std::string_view reference) {
  if (is_forked()) return fail(Errc::forked);
  auto reply = client_.request({{"op", "redeem"}, {"token", reference}});
  if (!reply) return tl::unexpected(reply.error());
  const auto name = reply->fields.value("name", "");
  return BlockHandle::over(shared_from_this(), client_, *reply, name);
}

}  // namespace sessionblocks
