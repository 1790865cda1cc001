#include "session/director_client.hpp"

#include "platform/descriptors.hpp"
#include "platform/poll.hpp"

namespace sessionblocks {
namespace {

using Clock = std::chrono::steady_clock;

Result<void> wait_for(int fd, platform::Readiness wanted, Clock::time_point until) {
  if (platform::wait_until_ready(fd, wanted, until)) return {};
  return fail(Errc::unreachable, "the director did not answer in time");
}

}  // namespace

Result<platform::Mapping> Reply::map(std::uint64_t bytes, platform::Access access) const {
  if (lost_descriptor) {
    return fail(Errc::too_many,
                "map a segment: this process has " + platform::no_descriptors_text());
  }
  return platform::Mapping::from_fd(descriptor.get(), bytes, access);
}

void DirectorClient::introduce_with(Message hello) {
  const std::lock_guard lock(mutex_);
  hello_ = std::move(hello);
}

void DirectorClient::disconnect() {
  const std::lock_guard lock(mutex_);
  connection_.reset();
}

Result<std::optional<Reply>> DirectorClient::connect() {
  const std::lock_guard lock(mutex_);
  return connect_locked();
}

Result<std::optional<Reply>> DirectorClient::connect_locked() {
  if (connection_) return std::optional<Reply>();
  auto connection = platform::Connection::connect(socket_);
  if (!connection) return tl::unexpected(connection.error());
  connection_.emplace(std::move(*connection));
  Message hello = hello_;
  auto reply = exchange(hello);
  if (!reply) {
    connection_.reset();
    return tl::unexpected(reply.error());
  }
  return std::optional<Reply>(std::move(*reply));
}

Result<Reply> DirectorClient::request(Message message) {
  const std::lock_guard lock(mutex_);
  // Twice: the first failure may only mean that the director was replaced since the last request.
  for (int tries = 0;; ++tries) {
    auto connected = connect_locked();
    if (!connected) return tl::unexpected(connected.error());
    auto reply = exchange(message);
    if (reply || reply.error().code() != Errc::unreachable) return reply;
    connection_.reset();
    if (tries == 1) return reply;
  }
}

Result<Reply> DirectorClient::exchange(Message& message) {
  const std::uint64_t id = next_id_++;
  message["id"] = id;
  const auto bytes = encode_message(message);
  if (!bytes) return tl::unexpected(bytes.error());
  const auto until = Clock::now() + time_limit_;
  for (;;) {
    auto sent = connection_->send(std::as_bytes(std::span(*bytes)));
    if (!sent) return tl::unexpected(sent.error());
    if (*sent == platform::SendOutcome::sent) break;
    if (*sent == platform::SendOutcome::peer_closed) break;  // it may have said why
    if (auto ready = wait_for(connection_->fd(), platform::Readiness::writable, until); !ready) {
      return tl::unexpected(ready.error());
    }
  }
  std::vector<std::byte> buffer(kMaxMessageBytes);
  for (;;) {
    auto received = connection_->receive(buffer);
    if (!received) return tl::unexpected(received.error());
    if (received->outcome == platform::ReceiveOutcome::peer_closed) {
      return fail(Errc::unreachable, "the director closed the connection");
    }
    if (received->outcome == platform::ReceiveOutcome::would_block) {
      if (auto ready = wait_for(connection_->fd(), platform::Readiness::readable, until); !ready) {
        connection_.reset();  // a late reply must not be taken for the next one
        return tl::unexpected(ready.error());
      }
      continue;
    }
    auto reply =
        decode_message({reinterpret_cast<const std::uint8_t*>(buffer.data()), received->bytes});
    if (!reply) return tl::unexpected(reply.error());
    // The director has refused the connection itself.
    if (reply->contains("error") && reply->value("id", id) == 0) {
      connection_.reset();
      return tl::unexpected(error_of(*reply));
    }
    if (!reply->contains("id") || (*reply)["id"] != id) {  // an event, or a late reply
      if (Clock::now() < until) continue;
      connection_.reset();
      return fail(Errc::unreachable, "the director sends everything but an answer");
    }
    if (reply->contains("error")) return tl::unexpected(error_of(*reply));
    return Reply{std::move(*reply), std::move(received->descriptor), received->lost_descriptor};
  }
}

}  // namespace sessionblocks
