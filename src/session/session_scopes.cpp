// SessionState: flow scopes and child scripts. We number them ourselves, so that a request whose
// answer was not heard can be asked again, or taken back, without knowing whether the director
// carried it out.
#include "session/block_handle.hpp"
#include "session/session_state.hpp"

namespace sessionblocks {
namespace {

// Whether the director may have done it all the same.
bool is_unheard(const Error& error) {
  return error == Errc::unreachable || error == Errc::malformed || error == Errc::io_error;
}

}  // namespace

Result<EnteredFlow> SessionState::enter_scope(std::string_view name, FlowNumber outer) try {
  if (is_forked()) return fail(Errc::forked);
  const std::lock_guard lock(flows_mutex_);
  if (auto left = leave_what_was_given_up(); !left) return tl::unexpected(left.error());
  given_up_.reserve(given_up_.size() + 1);
  const FlowNumber number = ++last_flow_;
  Message request = {{"op", "enter_scope"}, {"name", name}, {"flow", number}};
  if (outer != kNoFlow) request["outer"] = outer;
  auto reply = client_.request(std::move(request));
  if (!reply) {
    if (is_unheard(reply.error())) given_up_.push_back(number);
    return tl::unexpected(reply.error());
  }
  return EnteredFlow{number, reply->fields.at("scope").get<std::string>()};
} catch (const Message::exception& error) {
  return fail(Errc::malformed, std::string("reply to enter_scope: ") + error.what());
}

Result<void> SessionState::leave_scope(FlowNumber flow) {
  if (is_forked()) return fail(Errc::forked);
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(handles_, [flow](const auto& known) { return known.first.flow == flow; });
  }
  const std::lock_guard lock(flows_mutex_);
  given_up_.push_back(flow);
  return leave_what_was_given_up();
}

Result<void> SessionState::leave_what_was_given_up() {
  while (!given_up_.empty()) {
    auto reply = client_.request({{"op", "leave_scope"}, {"flow", given_up_.back()}});
    if (!reply && is_unheard(reply.error())) return tl::unexpected(reply.error());
    given_up_.pop_back();
  }
  return {};
}

Result<std::string> SessionState::start_script(std::string_view name,
                                               const std::vector<std::string>& arguments) try {
  if (is_forked()) return fail(Errc::forked);
  auto reply = client_.request(
      {{"op", "start_script"}, {"name", name}, {"args", arguments}, {"number", ++last_start_}});
  if (!reply) return tl::unexpected(reply.error());
  return reply->fields.at("scope").get<std::string>();
} catch (const Message::exception& error) {
  return fail(Errc::malformed, std::string("reply to start_script: ") + error.what());
}

}  // namespace sessionblocks
