// The control plane's transport: whole messages over a Unix SOCK_SEQPACKET socket.
//
// What it does: a listener on a path, connections, non-blocking sending and receiving of one
// message of 1 to 64 KiB with at most one descriptor, and who the peer is. What it does not:
// queues, encoding, waiting (poll the descriptor).
//
// Invariants
// 1. Only the client's receive takes a descriptor (SCM_RIGHTS, close-on-exec). The server refuses
//    them: a client's descriptor may block whoever closes it. Linux 6.16 and later refuse the
//    client's send; before, the kernel drops them in the server's receive.
// 2. Nothing here blocks, except connect() while the listener's queue is full.
// 3. The end of the peer is its own outcome, never an error.
// A crash of the listener leaves the path; the next listen() replaces it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>

#include "platform/unique_fd.hpp"

namespace sessionblocks::platform {

inline constexpr std::size_t kMaxMessageBytes = 64 * 1024;

enum class SendOutcome : std::uint8_t { sent, would_block, peer_closed };
enum class ReceiveOutcome : std::uint8_t { received, would_block, peer_closed };

struct Received {
  ReceiveOutcome outcome = ReceiveOutcome::would_block;
  std::size_t bytes = 0;
  UniqueFd descriptor;           // only from receive(), and only when the peer sent one
  bool lost_descriptor = false;  // it sent one, and this process had no room for it
};

struct PeerCredentials {
  pid_t pid = 0;  // of the process that called connect() (for a client: listen())
  uid_t uid = 0;
  gid_t gid = 0;
};

class Connection {
 public:
  // Connects as a client. unreachable: no socket there or nobody listens; denied;
  // invalid_argument: the last part of the path is too long for a socket.
  [[nodiscard]] static Result<Connection> connect(const std::string& path);

  // Sends one message, with `descriptor` if it is not -1 (a copy; the caller keeps its own).
  // invalid_argument: empty or too large; denied: the peer refuses descriptors.
  [[nodiscard]] Result<SendOutcome> send(std::span<const std::byte> message, int descriptor = -1);

  // For clients. Receives one message into `buffer`, with its descriptor if it has one.
  // malformed: larger than the buffer, or more than one descriptor (all are closed).
  [[nodiscard]] Result<Received> receive(std::span<std::byte> buffer);
  // For the server: the same without descriptors; what a client sends of them is dropped.
  [[nodiscard]] Result<Received> receive_data_only(std::span<std::byte> buffer);

  // Who was at the other end when the connection was made.
  [[nodiscard]] Result<PeerCredentials> peer() const;
  // A pidfd of that process. gone: it has ended. `exact` is false when the kernel (before 6.5) has
  // no SO_PEERPIDFD and the pid was looked up: then check its start time.
  struct PeerPidfd {
    UniqueFd pidfd;
    bool exact = true;
  };
  [[nodiscard]] Result<PeerPidfd> peer_pidfd() const;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  friend class Listener;
  explicit Connection(UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

class Listener {
 public:
  // Listens on `path`, replacing a socket file that a dead director left; the caller holds the
  // system's FileLock, so none is alive. `mode` such as 0600. exists: the path is something else
  // than a socket; invalid_argument: its last part is too long.
  [[nodiscard]] static Result<Listener> listen(const std::string& path, mode_t mode);

  // The next waiting connection, or nothing. too_many: no descriptor left; the client waits.
  [[nodiscard]] Result<std::optional<Connection>> accept();

  // Whether the kernel makes clients' attempts to send descriptors fail (Linux 6.16).
  [[nodiscard]] bool refuses_descriptors() const noexcept { return refuses_descriptors_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  Listener(UniqueFd fd, bool refuses) noexcept
      : fd_(std::move(fd)), refuses_descriptors_(refuses) {}
  UniqueFd fd_;
  bool refuses_descriptors_ = false;
};

}  // namespace sessionblocks::platform
