#include "platform/poll.hpp"
#include "session/session_state.hpp"

#include <cstdlib>

namespace sessionblocks {
namespace {

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

std::string socket_path(const AttachOptions& options) {
  if (!options.socket.empty()) return options.socket;
  if (auto named = from_environment("SESSIONBLOCKS_SOCKET"); !named.empty()) return named;
  const std::string runtime = from_environment("XDG_RUNTIME_DIR");
  const std::uint32_t user = platform::effective_user_id();
  const std::string candidates[] = {
      runtime.empty() ? "" : runtime + "/sessionblocks/default/socket",
      user == 0 ? "/run/sessionblocks/default/socket" : "",
      "/tmp/sessionblocks-" + std::to_string(user) + "/default/socket"};
  for (const std::string& candidate : candidates) {
    if (!candidate.empty() && platform::path_exists(candidate)) return candidate;
  }
  return {};
}

}  // namespace sessionblocks
