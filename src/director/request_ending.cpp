#include "director/request_ending.hpp"

#include "director/declared_blocks.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::size_t kMaxWordBytes = 256;
constexpr std::size_t kMaxPathBytes = 1'024;
constexpr std::uint64_t kMaxIdleMs = std::uint64_t{1} << 53U;

tl::unexpected<Error> refuse(Errc code, const BlockRequest& request, const std::string& why) {
  return fail(code, "create block " + request.policy.name + ": " + why);
}

Result<void> check_words(const BlockRequest& request) {
  const Ending& ending = request.ending;
  const bool passes_on = ending.at_end == sessionblocks::AtEnd::heir;
  if (passes_on && ending.heir_path.empty()) {
    return refuse(Errc::invalid_argument, request, "at_end \"heir\" needs an heir, a scope's path");
  }
  if (!passes_on && !ending.heir_path.empty()) {
    return refuse(Errc::invalid_argument, request, "heir has no effect without at_end \"heir\"");
  }
  const bool may_persist = has_permit(request.permits, Permit::persist);
  if (ending.at_end == sessionblocks::AtEnd::snapshot && !may_persist) {
    return refuse(Errc::invalid_argument, request, "at_end \"snapshot\" needs permit \"persist\"");
  }
  const bool may_elevate = has_permit(request.permits, Permit::elevate);
  if (ending.at_end == sessionblocks::AtEnd::elevate && !may_elevate) {
    return refuse(Errc::invalid_argument, request, "at_end \"elevate\" needs permit \"elevate\"");
  }
  return {};
}

}  // namespace

Result<Ending> read_ending(const Fields& fields) {
  Ending ending;
  const auto idle = fields.number_or("idle_ms", kMaxIdleMs, 0);
  if (!idle) return tl::unexpected(idle.error());
  const auto text = fields.text_or("at_end", kMaxWordBytes, word(AtEnd::destroy));
  if (!text) return tl::unexpected(text.error());
  const auto at_end = value_of<AtEnd>(*text);
  if (!at_end) return fail(Errc::invalid_argument, "create: at_end " + quote(*text));
  const auto heir = fields.text_or("heir", kMaxPathBytes, "");
  if (!heir) return tl::unexpected(heir.error());
  ending.idle_ms = *idle;
  if (*at_end == AtEnd::join) {
    return fail(Errc::invalid_argument, "create: at_end \"join\" is for forks in a suite file");
  }
  ending.at_end = stored(*at_end);
  ending.heir_path = *heir;
  return ending;
}

Result<void> choose_ending(const ScopeTree& scopes, bool has_suite, BlockRequest& request) {
  if (auto checked = check_words(request); !checked) return checked;
  Ending& ending = request.ending;
  if (ending.heir_path.empty()) return {};
  const Scope* const heir = scopes.find(ending.heir_path);
  if (heir == nullptr || heir->is_ending) {
    return refuse(Errc::no_such_scope, request, "heir " + quote(ending.heir_path));
  }
  if (heir->id == request.policy.owner) {
    return refuse(Errc::invalid_argument, request, "the heir is its owner");
  }
  const Scope* const script = scopes.script_of(request.policy.owner);
  const bool stays = script == nullptr || scopes.belongs_to(heir->id, script->id);
  if (has_suite && !stays) {
    return refuse(Errc::not_permitted, request,
                  "its heir belongs to another script; declare the block in the suite file");
  }
  ending.heir = heir->id;
  return {};
}

}  // namespace sessionblocks::director
