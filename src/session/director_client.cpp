#include "session/director_client.hpp"

#include "platform/descriptors.hpp"
#include "platform/poll.hpp"

namespace sessionblocks {
namespace {

Result<void> wait_for(int fd, platform::Readiness wanted,
                      std::chrono::steady_clock::time_point until) {
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
  drop_connection();
}

// And with it what was asked over it.
void DirectorClient::drop_connection() noexcept {
  connection_.reset();
  greeting_ = 0;
  abandoned_opens_.clear();
}

Result<std::optional<Reply>> DirectorClient::connect() {
  const std::lock_guard lock(mutex_);
  return connect_locked();
}

Result<std::optional<Reply>> DirectorClient::connect_locked() {
  if (connection_ && greeting_ == 0) return std::optional<Reply>();
  const auto until = Clock::now() + time_limit_;
  if (!connection_) {
    auto connection = platform::Connection::connect(socket_);
    if (!connection) return tl::unexpected(connection.error());
    connection_.emplace(std::move(*connection));
    Message hello = hello_;
    const auto sent = send(hello, until);
    if (!sent) {
      drop_connection();
      return tl::unexpected(sent.error());
    }
    greeting_ = *sent;
  }
  auto reply = await(greeting_, until);
  if (!reply) {
    // Late, it is waited for again by the next request; anything else is a refusal.
    if (!(reply.error() == Errc::unreachable)) drop_connection();
    return tl::unexpected(reply.error());
  }
  greeting_ = 0;
  return std::optional<Reply>(std::move(*reply));
}

Result<Reply> DirectorClient::request(Message message) {
  const std::lock_guard lock(mutex_);
  // Twice: that the connection is lost may only mean that the director was replaced meanwhile.
  for (int tries = 0;; ++tries) {
    auto connected = connect_locked();
    if (!connected) return tl::unexpected(connected.error());
    const auto until = Clock::now() + time_limit_;
    const auto id = send(message, until);
    auto reply = id ? await(*id, until) : tl::unexpected(id.error());
    if (reply || !(reply.error() == Errc::unreachable)) return reply;
    const bool opens = message["op"] == "open" || message["op"] == "redeem";
    if (connection_ && id && opens) abandoned_opens_.insert(*id);
    if (connection_ || tries == 1) return reply;
  }
}

Result<std::uint64_t> DirectorClient::send(Message& message, Clock::time_point until) {
  const std::uint64_t id = next_id_++;
  message["id"] = id;
  const auto bytes = encode_message(message);
  if (!bytes) return tl::unexpected(bytes.error());
  for (;;) {
    auto sent = connection_->send(std::as_bytes(std::span(*bytes)));
    if (!sent) return tl::unexpected(sent.error());
    // A director that has closed the connection may have said why.
    if (*sent != platform::SendOutcome::would_block) return id;
    if (auto ready = wait_for(connection_->fd(), platform::Readiness::writable, until); !ready) {
      return tl::unexpected(ready.error());
    }
  }
}

Result<Reply> DirectorClient::await(std::uint64_t id, Clock::time_point until) {
  std::vector<std::byte> buffer(kMaxMessageBytes);
  for (;;) {
    auto received = connection_->receive(buffer);
    if (!received) return tl::unexpected(received.error());
    if (received->outcome == platform::ReceiveOutcome::peer_closed) {
      drop_connection();
      return fail(Errc::unreachable, "the director closed the connection");
    }
    if (received->outcome == platform::ReceiveOutcome::would_block) {
      if (auto ready = wait_for(connection_->fd(), platform::Readiness::readable, until); !ready) {
        return tl::unexpected(ready.error());
      }
      continue;
    }
    auto reply =
        decode_message({reinterpret_cast<const std::uint8_t*>(buffer.data()), received->bytes});
    if (!reply) return tl::unexpected(reply.error());
    // The director has refused the connection itself.
    if (reply->contains("error") && reply->value("id", id) == 0) {
      drop_connection();
      return tl::unexpected(error_of(*reply));
    }
    if (!reply->contains("id") || (*reply)["id"] != id) {  // an event, or a late answer
      undo_late(*reply, id);
      if (Clock::now() < until) continue;
      return fail(Errc::unreachable, "the director sends everything but an answer");
    }
    if (reply->contains("error")) return tl::unexpected(error_of(*reply));
    return Reply{std::move(*reply), std::move(received->descriptor), received->lost_descriptor};
  }
}

// What was opened for nobody is closed again; the answer to that is as late.
void DirectorClient::undo_late(const Message& reply, std::uint64_t awaited) {
  const auto late = reply.value("id", awaited);
  if (abandoned_opens_.erase(late) == 0 || !reply.contains("open")) return;
  Message close = {{"op", "close"}, {"open", reply["open"]}};
  (void)send(close, Clock::now());
}

}  // namespace sessionblocks
