// The worker's end of the control plane: one request at a time, one reply, perhaps a descriptor.
//
// Not on the data path. Any number of threads may call; they take turns. A connection that broke
// is made anew by the next request, which introduces the session again before it asks.
#pragma once

#include "platform/mapping.hpp"
#include "platform/socket.hpp"
#include "platform/unique_fd.hpp"
#include "session/message.hpp"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace sessionblocks {

struct Reply {
  Message fields;
  platform::UniqueFd descriptor;
  bool lost_descriptor = false;

  // The segment whose descriptor came with it. too_many: this process had no room for that.
  [[nodiscard]] Result<platform::Mapping> map(std::uint64_t bytes, platform::Access access) const;
};

class DirectorClient {
 public:
  DirectorClient(std::string socket, std::chrono::milliseconds time_limit)
      : socket_(std::move(socket)), time_limit_(time_limit) {}

  // `hello` is sent first on every new connection (attach, with our worker id once we have one).
  void introduce_with(Message hello);
  // unreachable: no director, or none that answers in time; else what the director answered. The
  // connection outlives an answer that is late: its end would tell the director that we have ended.
  [[nodiscard]] Result<Reply> request(Message message);
  // Connects and introduces if need be; the reply to the introduction when it was needed now.
  [[nodiscard]] Result<std::optional<Reply>> connect();
  void disconnect();

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] Result<std::optional<Reply>> connect_locked();
  void drop_connection() noexcept;
  // The id that the answer will have.
  [[nodiscard]] Result<std::uint64_t> send(Message& message, Clock::time_point until);
  [[nodiscard]] Result<Reply> await(std::uint64_t id, Clock::time_point until);
  void undo_late(const Message& reply, std::uint64_t awaited);

  std::mutex mutex_;
  std::string socket_;
  std::chrono::milliseconds time_limit_;
  Message hello_;
  std::optional<platform::Connection> connection_;
  std::uint64_t next_id_ = 1;
  std::uint64_t greeting_ = 0;               // the introduction that is not answered yet
  std::set<std::uint64_t> abandoned_opens_;  // nobody waits for these any more
};

}  // namespace sessionblocks
