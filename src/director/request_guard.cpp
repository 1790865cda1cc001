// What FlowGuard found, for operators.
#include "director/requests.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::size_t kRowsAtOnce = 32;  // 64 KiB hold them
constexpr std::uint64_t kMaxNumber = UINT64_MAX >> 1U;

Result<void> check(const RequestContext& context, const Client& client, std::string_view what) {
  if (auto proved = require_operator(client, what); !proved) return proved;
  if (context.guard != nullptr) return {};
  return fail(Errc::unsupported,
              std::string(what) + ": this director runs no guard (flowdirector --no-guard?)");
}

}  // namespace

Answer answer_findings(RequestContext& context, Client& client, const Fields& fields) {
  if (auto may = check(context, client, "findings"); !may) return tl::unexpected(may.error());
  const auto after = fields.number_or("after", kMaxNumber, 0);
  if (!after) return tl::unexpected(after.error());
  Reply reply;
  reply.body["rows"] = context.guard->findings(*after, kRowsAtOnce);
  return reply;
}

// The largest first would need all of them sorted here; who asks has the room for that.
Answer answer_leaks(RequestContext& context, Client& client, const Fields& fields) {
  if (auto may = check(context, client, "leaks"); !may) return tl::unexpected(may.error());
  const auto after = fields.number_or("after", kMaxNumber, 0);  // a block
  if (!after) return tl::unexpected(after.error());
  Message rows = Message::array();
  const Message all = context.guard->leaks();
  for (const Message& row : all) {
    if (row["block"].get<std::uint64_t>() <= *after) continue;
    if (rows.size() == kRowsAtOnce) break;
    rows.push_back(row);
  }
  Reply reply;
  reply.body["rows"] = std::move(rows);
  return reply;
}

}  // namespace sessionblocks::director
