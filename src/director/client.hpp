// One connection to the director's socket: who is there, what waits to be sent.
//
// It decodes, limits and queues; it decides nothing (requests.hpp). A client whose queue is full
// is disconnected: its mappings live on, and its library connects again.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/ids.hpp"
#include "director/event_loop.hpp"
#include "platform/process.hpp"
#include "platform/socket.hpp"
#include "session/message.hpp"

namespace sessionblocks::director {

// What is sent back: a map, and at most one descriptor.
struct Reply {
  Message body = Message::object();
  platform::UniqueFd descriptor;
};

class Client : public std::enable_shared_from_this<Client> {
 public:
  enum class End : std::uint8_t {
    closed_by_peer,  // end of file: the process has ended, exec'ed or closed it
    disconnected,    // by us: too slow, or nothing but malformed messages
  };
  struct Calls {
    std::function<Reply(Client&, const Message&)> request;
    std::function<void(Client&, End)> ended;  // once; the owner lets go of it here
  };

  static constexpr std::size_t kMaxQueuedMessages = 128;
  static constexpr int kMaxMalformed = 8;
  static constexpr int kMessagesAtOnce = 16;  // then others get their turn

  Client(platform::Connection connection, Calls calls)
      : connection_(std::move(connection)), calls_(std::move(calls)) {}
  // Begins to read. Not in the constructor: the loop shares the ownership while it calls.
  void start(EventLoop& loop);

  // Queues and sends what the socket takes.
  void send(Reply reply);
  void disconnect() { end(End::disconnected); }

  [[nodiscard]] const platform::Connection& connection() const noexcept { return connection_; }

  // Set when it connects, and by requests.
  platform::PeerCredentials credentials;
  platform::ProcessIdentity process;
  platform::UniqueFd pidfd;
  WorkerId worker{};  // 0: not attached
  bool is_operator = false;

 private:
  void on_readable();
  void take_message(std::span<const std::byte> bytes);
  void flush();
  void end(End how);

  platform::Connection connection_;
  Calls calls_;
  std::deque<std::pair<std::vector<std::uint8_t>, platform::UniqueFd>> queue_;
  int malformed_ = 0;
  bool ended_ = false;
  FdWatch watch_;  // last: it ends before the connection closes
};

}  // namespace sessionblocks::director
