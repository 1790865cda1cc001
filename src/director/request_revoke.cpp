// revoke, grant.
//
// The scope that owns a block may revoke, as it may seal; giving back what was taken away is the
// operator's.
#include "director/requests.hpp"

namespace sessionblocks::director {
namespace {

// A path as the tree has it; longer ones are told apart below.
constexpr std::size_t kMaxPathBytes = 8'192;

}  // namespace

Answer answer_revoke(RequestContext& context, Client& client, const Fields& fields) {
  const auto block = owned_block(context, client, fields, "revoke");
  if (!block) return tl::unexpected(block.error());
  const auto scope = fields.text("scope", kMaxPathBytes);
  if (!scope) return tl::unexpected(scope.error());
  const auto left = fields.number_or("left", 1, 0);
  if (!left) return tl::unexpected(left.error());
  const auto by = enforcement(client, fields, **block);
  if (!by) return tl::unexpected(by.error());
  const Revoking what{*scope, static_cast<sessionblocks::Rights>(*left),
                      by->value_or(Enforcement{(*block)->enforce}), client.is_operator};
  auto revoked = context.registry.revocations.revoke(**block, what, asked_for_by(client));
  if (!revoked) return tl::unexpected(revoked.error());
  return Reply{};
}

Answer answer_grant(RequestContext& context, Client& client, const Fields& fields) {
  if (auto proved = require_operator(client, "grant"); !proved) {
    return tl::unexpected(proved.error());
  }
  const auto block = owned_block(context, client, fields, "grant");
  if (!block) return tl::unexpected(block.error());
  const auto scope = fields.text("scope", kMaxPathBytes);
  if (!scope) return tl::unexpected(scope.error());
  auto granted = context.registry.revocations.grant_back(**block, *scope, asked_for_by(client));
  if (!granted) return tl::unexpected(granted.error());
  return Reply{};
}

}  // namespace sessionblocks::director
