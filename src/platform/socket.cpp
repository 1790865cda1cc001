#include "platform/socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

#include "platform/os_error.hpp"
#include "platform/process.hpp"

namespace sessionblocks::platform {
namespace {

// Newer than Debian 12's headers.
constexpr int kSoPeerPidfd = 77;
constexpr int kSoPassRights = 83;

constexpr std::size_t kMaxPathBytes = sizeof(sockaddr_un::sun_path) - 1;

// A socket's address has room for 107 bytes. A longer path goes through a descriptor of its
// folder, which must stay open as long as the address is used.
struct Address {
  sockaddr_un name{};
  UniqueFd folder;

  [[nodiscard]] const sockaddr* get() const noexcept {
    return reinterpret_cast<const sockaddr*>(&name);
  }
  static constexpr socklen_t size() noexcept { return sizeof(sockaddr_un); }
};

Result<Address> address_of(const std::string& path) {
  Address address;
  address.name.sun_family = AF_UNIX;
  std::string text = path;
  if (path.size() > kMaxPathBytes) {
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const std::string last = slash == std::string::npos ? path : path.substr(slash + 1);
    address.folder.reset(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!address.folder) return fail_errno("open the folder of socket", path);
    text = "/proc/self/fd/" + std::to_string(address.folder.get()) + "/" + last;
  }
  if (text.empty() || text.size() > kMaxPathBytes || text.find('\0') != std::string::npos) {
    return fail(Errc::invalid_argument, "socket path " + path + ": its last part is too long");
  }
  std::memcpy(address.name.sun_path, text.data(), text.size());
  return address;
}

Result<UniqueFd> new_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("make a socket");
  return fd;
}

bool refuse_descriptors(int fd) noexcept {
  const int off = 0;
  return ::setsockopt(fd, SOL_SOCKET, kSoPassRights, &off, sizeof(off)) == 0;
}

Result<void> remove_stale(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) return fail(Errc::exists, "listen on " + path + ": not a socket");
  if (::unlink(path.c_str()) != 0) return fail_errno("remove the old socket", path);
  return {};
}

// Takes the descriptors out of a message: one is kept. How many there were.
int take_descriptors(msghdr& header, UniqueFd& kept) noexcept {
  int count = 0;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t length = part->cmsg_len - CMSG_LEN(0);
    for (std::size_t at = 0; at + sizeof(int) <= length; at += sizeof(int), ++count) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + at, sizeof(fd));
      kept.reset(fd);
    }
  }
  return count;
}

// Whether recvmsg's or send's error means that nobody is at the other end any more.
bool means_closed(int number) noexcept {
  return number == EPIPE || number == ECONNRESET;
}

bool means_later(int number) noexcept {
  return number == EAGAIN || number == EWOULDBLOCK;
}

Result<Received> receive_into(int fd, std::span<std::byte> buffer, bool with_descriptor) {
  iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
  // Room for two, so that a second one is seen and closed by us, not silently cut.
  alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))];
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (with_descriptor) {
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
  }
  const ssize_t length =
      retry_on_eintr([&] { return ::recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC); });
  Received received;
  if (length < 0) {
    if (means_later(errno)) return received;
    if (!means_closed(errno)) return fail_errno("receive a message");
    received.outcome = ReceiveOutcome::peer_closed;
    return received;
  }
  const int count = with_descriptor ? take_descriptors(header, received.descriptor) : 0;
  const bool cut = with_descriptor && (header.msg_flags & MSG_CTRUNC) != 0;
  if (length == 0) {  // an empty message looks the same, so send() refuses those
    received.descriptor.reset();
    received.outcome = ReceiveOutcome::peer_closed;
    return received;
  }
  if ((header.msg_flags & MSG_TRUNC) != 0) return fail(Errc::malformed, "message: too large");
  if (count > 1 || (cut && count == 1)) {
    return fail(Errc::malformed, "message: more than one descriptor");
  }
  received.lost_descriptor = cut;  // the kernel found no free number for it
  received.outcome = ReceiveOutcome::received;
  received.bytes = static_cast<std::size_t>(length);
  return received;
}

}  // namespace

Result<Connection> Connection::connect(const std::string& path) {
  auto address = address_of(path);
  if (!address) return tl::unexpected(address.error());
  auto fd = new_socket();
  if (!fd) return tl::unexpected(fd.error());
  // Blocking only for connect(): a full queue means "wait", which EAGAIN would make a loop of.
  const int flags = ::fcntl(fd->get(), F_GETFL);
  ::fcntl(fd->get(), F_SETFL, flags & ~O_NONBLOCK);
  if (retry_on_eintr([&] { return ::connect(fd->get(), address->get(), Address::size()); }) != 0) {
    const Error error = os_error(errno, "connect to", path);
    const bool absent = errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR;
    if (absent) return fail(Errc::unreachable, error.context());
    return tl::unexpected(error);
  }
  ::fcntl(fd->get(), F_SETFL, flags);
  return Connection(std::move(*fd));
}

Result<SendOutcome> Connection::send(std::span<const std::byte> message, int descriptor) {
  if (message.empty() || message.size() > kMaxMessageBytes) {
    return fail(Errc::invalid_argument,
                "send a message of " + std::to_string(message.size()) + " bytes: 1 to 65536 fit");
  }
  iovec part{.iov_base = const_cast<std::byte*>(message.data()), .iov_len = message.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (descriptor >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &descriptor, sizeof(descriptor));
  }
  const ssize_t sent =
      retry_on_eintr([&] { return ::sendmsg(fd_.get(), &header, MSG_DONTWAIT | MSG_NOSIGNAL); });
  if (sent >= 0) return SendOutcome::sent;
  if (means_later(errno)) return SendOutcome::would_block;
  if (means_closed(errno)) return SendOutcome::peer_closed;
  return fail_errno("send a message");
}

Result<Received> Connection::receive(std::span<std::byte> buffer) {
  return receive_into(fd_.get(), buffer, true);
}

Result<Received> Connection::receive_data_only(std::span<std::byte> buffer) {
  return receive_into(fd_.get(), buffer, false);
}

Result<PeerCredentials> Connection::peer() const {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return fail_errno("ask for the peer's credentials");
  }
  return PeerCredentials{.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
}

Result<Connection::PeerPidfd> Connection::peer_pidfd() const {
  int number = -1;
  socklen_t size = sizeof(number);
  if (::getsockopt(fd_.get(), SOL_SOCKET, kSoPeerPidfd, &number, &size) == 0) {
    return PeerPidfd{.pidfd = UniqueFd(number), .exact = true};
  }
  if (errno != ENOPROTOOPT) return fail(Errc::gone, "the peer's process has ended");
  const auto credentials = peer();
  if (!credentials) return tl::unexpected(credentials.error());
  auto pidfd = open_pidfd(credentials->pid);
  if (!pidfd) return fail(Errc::gone, "the peer's process has ended");
  return PeerPidfd{.pidfd = std::move(*pidfd), .exact = false};
}

Result<Listener> Listener::listen(const std::string& path, mode_t mode) {
  auto address = address_of(path);
  if (!address) return tl::unexpected(address.error());
  auto fd = new_socket();
  if (!fd) return tl::unexpected(fd.error());
  if (auto removed = remove_stale(path); !removed) return tl::unexpected(removed.error());
  const bool refuses = refuse_descriptors(fd->get());
  // The file never has more rights than `mode`: bind() takes them from the socket, less the umask,
  // and chmod() afterwards only adds what the umask took.
  if (::fchmod(fd->get(), mode) != 0) return fail_errno("set the mode of socket", path);
  if (::bind(fd->get(), address->get(), Address::size()) != 0) return fail_errno("bind", path);
  if (::chmod(path.c_str(), mode) != 0) return fail_errno("set the mode of socket", path);
  if (::listen(fd->get(), SOMAXCONN) != 0) return fail_errno("listen on", path);
  return Listener(std::move(*fd), refuses);
}

Result<std::optional<Connection>> Listener::accept() {
  const int number = retry_on_eintr(
      [&] { return ::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); });
  if (number < 0) {
    if (means_later(errno) || errno == ECONNABORTED) return std::optional<Connection>{};
    return fail_errno("accept a connection");
  }
  UniqueFd fd(number);
  refuse_descriptors(fd.get());
  return std::optional<Connection>(Connection(std::move(fd)));
}

}  // namespace sessionblocks::platform
