#include "flowguard/notifier.hpp"

#include <csignal>

#include "platform/process.hpp"
#include "platform/socket.hpp"
#include "platform/spawn.hpp"

namespace sessionblocks::flowguard {
namespace {

constexpr std::string_view kSocket = "unix:";

std::string send(const std::string& path, const std::string& json) {
  auto connection = platform::Connection::connect(path);
  if (!connection) return connection.error().message();
  const auto sent = connection->send(std::as_bytes(std::span(json)));
  if (!sent) return sent.error().message();
  return *sent == platform::SendOutcome::sent ? "" : path + ": it takes nothing now";
}

}  // namespace

Notifier::~Notifier() {
  for (const Running& one : running_) {
    static_cast<void>(platform::send_signal(one.pidfd.get(), SIGKILL));
    static_cast<void>(platform::reap(one.pidfd.get()));
  }
}

std::string Notifier::tell(const std::vector<std::string>& to, const std::string& json,
                           std::uint64_t now_ms) {
  if (to.empty()) return {};
  if (to.front().starts_with(kSocket)) return send(to.front().substr(kSocket.size()), json);
  return start(to, json, now_ms);
}

std::string Notifier::start(const std::vector<std::string>& command, const std::string& json,
                            std::uint64_t now_ms) {
  look(now_ms);
  if (running_.size() >= kMost) {
    return command.front() + ": " + std::to_string(kMost) + " of its kind run already";
  }
  platform::Program program;
  program.path = command.front();
  program.arguments = command;
  program.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "SESSIONBLOCKS_FINDING=" + json};
  program.working_folder = "/";
  auto child = platform::spawn(program);
  if (!child) return child.error().message();
  running_.push_back({std::move(child->pidfd), now_ms});
  return {};
}

void Notifier::look(std::uint64_t now_ms) {
  std::erase_if(running_, [now_ms](const Running& one) {
    if (now_ms - one.started_ms > kLongestMs) {
      static_cast<void>(platform::send_signal(one.pidfd.get(), SIGKILL));
    }
    const auto ended = platform::try_reap(one.pidfd.get());
    return !ended || ended->has_value();
  });
}

}  // namespace sessionblocks::flowguard
