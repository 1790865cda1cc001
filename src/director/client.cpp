#include "director/client.hpp"

#include <array>

namespace sessionblocks::director {
namespace {

std::uint64_t id_of(const Message& request) {
  const auto found = request.find("id");
  return found != request.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

}  // namespace

void Client::start(EventLoop& loop) {
  watch_ = loop.watch(connection_.fd(), [client = weak_from_this()] {
    if (const auto alive = client.lock()) alive->on_readable();
  });
}

void Client::on_readable() {
  static thread_local std::array<std::byte, kMaxMessageBytes> buffer;
  for (int taken = 0; taken < kMessagesAtOnce && !ended_; ++taken) {
    const auto received = connection_.receive_data_only(buffer);
    if (!received) {
      take_message({});  // too large: as malformed as the others
    } else if (received->outcome == platform::ReceiveOutcome::would_block) {
      return;
    } else if (received->outcome == platform::ReceiveOutcome::peer_closed) {
      end(End::closed_by_peer);
    } else {
      take_message(std::span(buffer).first(received->bytes));
    }
  }
}

void Client::take_message(std::span<const std::byte> bytes) {
  const auto request =
      decode_message({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  if (!request) {
    send({error_reply(0, request.error()), {}});
    if (++malformed_ == kMaxMalformed) disconnect();
    return;
  }
  Reply reply = calls_.request(*this, *request);
  reply.body["id"] = id_of(*request);
  send(std::move(reply));
}

void Client::send(Reply reply) {
  if (ended_) return;
  auto bytes = encode_message(reply.body);
  if (!bytes) bytes = encode_message(error_reply(id_of(reply.body), bytes.error()));
  queue_.emplace_back(std::move(*bytes), std::move(reply.descriptor));
  flush();
  if (queue_.size() > kMaxQueuedMessages) disconnect();
}

void Client::flush() {
  while (!queue_.empty()) {
    const auto& [bytes, descriptor] = queue_.front();
    const auto sent = connection_.send(std::as_bytes(std::span(bytes)), descriptor.get());
    // What cannot be sent at all would block the rest for ever; its asker times out.
    if (sent && *sent == platform::SendOutcome::would_block) break;
    queue_.pop_front();
    if (sent && *sent == platform::SendOutcome::peer_closed) {
      queue_.clear();  // reading tells us in a moment
      return;
    }
  }
  if (queue_.empty()) return;
  watch_.when_writable([client = weak_from_this()] {
    if (const auto alive = client.lock()) alive->flush();
  });
}

void Client::end(End how) {
  if (ended_) return;
  ended_ = true;
  queue_.clear();
  watch_.end();
  calls_.ended(*this, how);
}

}  // namespace sessionblocks::director
