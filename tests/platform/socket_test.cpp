#include "platform/socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "child.hpp"
#include "platform/process.hpp"

using namespace sessionblocks;
using namespace sessionblocks::platform;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

struct Pair {
  test::TemporaryFolder folder;
  std::string path = folder.path() + "/socket";
  Listener listener = std::move(Listener::listen(path, 0600).value());
  Connection client = std::move(Connection::connect(path).value());
  Connection server = std::move(listener.accept().value().value());
  std::vector<std::byte> buffer = std::vector<std::byte>(kMaxMessageBytes);

  std::string text(const Received& received) const {
    return std::string(reinterpret_cast<const char*>(buffer.data()), received.bytes);
  }
};

int open_descriptors() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

// Sends `count` descriptors in one message, which Connection never does.
ssize_t send_descriptors(int socket, int count) {
  char byte = 'x';
  iovec part{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = CMSG_SPACE(static_cast<std::size_t>(count) * sizeof(int));
  cmsghdr* const rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(static_cast<std::size_t>(count) * sizeof(int));
  for (int index = 0; index < count; ++index) {
    const int zero = 0;
    std::memcpy(CMSG_DATA(rights) + static_cast<std::size_t>(index) * sizeof(int), &zero,
                sizeof(int));
  }
  return ::sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

TEST_CASE("messages keep their borders, in both directions") {
  Pair pair;
  CHECK(pair.client.send(bytes_of("one")).value() == SendOutcome::sent);
  CHECK(pair.client.send(bytes_of("two!")).value() == SendOutcome::sent);
  auto first = pair.server.receive_data_only(pair.buffer);
  REQUIRE(first);
  CHECK(pair.text(*first) == "one");
  auto second = pair.server.receive_data_only(pair.buffer);
  CHECK(pair.text(*second) == "two!");
  CHECK(pair.server.receive_data_only(pair.buffer)->outcome == ReceiveOutcome::would_block);
  CHECK(pair.server.send(bytes_of("answer")).value() == SendOutcome::sent);
  auto answer = pair.client.receive(pair.buffer);
  CHECK(pair.text(*answer) == "answer");
  CHECK_FALSE(answer->descriptor);
}

TEST_CASE("a message of 64 KiB passes; larger, empty and truncated ones are errors") {
  Pair pair;
  const std::vector<std::byte> full(kMaxMessageBytes, std::byte{9});
  REQUIRE(pair.client.send(full).value() == SendOutcome::sent);
  CHECK(pair.server.receive_data_only(pair.buffer)->bytes == kMaxMessageBytes);
  CHECK(pair.client.send({}).error() == Errc::invalid_argument);
  const std::vector<std::byte> larger(kMaxMessageBytes + 1);
  CHECK(pair.client.send(larger).error() == Errc::invalid_argument);
  REQUIRE(pair.client.send(bytes_of("too long for this")).has_value());
  std::array<std::byte, 4> small{};
  CHECK(pair.server.receive_data_only(small).error() == Errc::malformed);
}

TEST_CASE("a full queue is would_block, and the end of the peer its own outcome on both sides") {
  Pair pair;
  const std::vector<std::byte> message(8192);
  while (true) {
    const auto outcome = pair.server.send(message);
    REQUIRE(outcome);
    if (*outcome == SendOutcome::would_block) break;
  }
  { const Connection ended = std::move(pair.client); }
  CHECK(pair.server.send(message).value() == SendOutcome::peer_closed);
  CHECK(pair.server.receive_data_only(pair.buffer)->outcome == ReceiveOutcome::peer_closed);
}

TEST_CASE("the server passes a descriptor that the client receives close-on-exec") {
  Pair pair;
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  REQUIRE(pair.server.send(bytes_of("fd"), file.get()).value() == SendOutcome::sent);
  const auto received = pair.client.receive(pair.buffer);
  REQUIRE(received);
  REQUIRE(received->descriptor);
  CHECK((::fcntl(received->descriptor.get(), F_GETFD) & FD_CLOEXEC) != 0);
  struct stat mine {};
  struct stat theirs {};
  REQUIRE(::fstat(file.get(), &mine) == 0);
  REQUIRE(::fstat(received->descriptor.get(), &theirs) == 0);
  CHECK(mine.st_rdev == theirs.st_rdev);
}

TEST_CASE("a client's descriptors never arrive at the server") {
  Pair pair;
  const int before = open_descriptors();
  const ssize_t sent = send_descriptors(pair.client.fd(), 1);
  if (pair.listener.refuses_descriptors()) {
    CHECK(sent == -1);
    CHECK(pair.client.send(bytes_of("x"), 0).error() == Errc::denied);
  } else {
    WARN("this kernel has no SO_PASSRIGHTS: descriptors are dropped in the server's receive");
    CHECK_FALSE(pair.server.receive_data_only(pair.buffer)->descriptor);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("descriptors are refused also before the connection was accepted") {
  const test::TemporaryFolder folder;
  auto listener = Listener::listen(folder.path() + "/s", 0600);
  REQUIRE(listener);
  if (!listener->refuses_descriptors()) {
    WARN("skipped: this kernel has no SO_PASSRIGHTS");
    return;
  }
  const auto client = Connection::connect(folder.path() + "/s");
  REQUIRE(client);
  CHECK(send_descriptors(client->fd(), 1) == -1);
}

TEST_CASE("who receives data only gets no descriptor, also where the kernel lets one be sent") {
  Pair pair;
  const int before = open_descriptors();
  REQUIRE(send_descriptors(pair.server.fd(), 1) == 1);  // a client has not forbidden it
  const auto received = pair.client.receive_data_only(pair.buffer);
  REQUIRE(received);
  CHECK(received->bytes == 1);
  CHECK_FALSE(received->descriptor);
  CHECK(open_descriptors() == before);
}

TEST_CASE("a message with two descriptors is malformed and both are closed") {
  Pair pair;
  const int before = open_descriptors();
  REQUIRE(send_descriptors(pair.server.fd(), 2) == 1);
  CHECK(pair.client.receive(pair.buffer).error() == Errc::malformed);
  REQUIRE(send_descriptors(pair.server.fd(), 5) == 1);
  CHECK(pair.client.receive(pair.buffer).error() == Errc::malformed);
  CHECK(open_descriptors() == before);
}

TEST_CASE("the peer is known by credentials and by a pidfd") {
  Pair pair;
  const auto peer = pair.server.peer();
  REQUIRE(peer);
  CHECK(peer->pid == ::getpid());
  CHECK(peer->uid == ::getuid());
  const auto pidfd = pair.server.peer_pidfd();
  REQUIRE(pidfd);
  CHECK_FALSE(pidfd_ended(pidfd->pidfd.get()));
}

TEST_CASE("the pidfd of a peer that ended is gone or says so") {
  const test::TemporaryFolder folder;
  const std::string path = folder.path() + "/s";
  auto listener = Listener::listen(path, 0600);
  REQUIRE(test::exit_of_child([&] { return Connection::connect(path) ? 0 : 1; }) == 0);
  const auto server = listener->accept();
  REQUIRE(server.value().has_value());
  const auto pidfd = (*server)->peer_pidfd();
  if (pidfd) {
    CHECK(pidfd_ended(pidfd->pidfd.get()));
  } else {
    CHECK(pidfd.error() == Errc::gone);
  }
}

TEST_CASE("a path longer than a socket's address works; one whose last part is, is refused") {
  const test::TemporaryFolder folder;
  const std::string deep = folder.path() + "/" + std::string(200, 'd');
  REQUIRE(std::filesystem::create_directory(deep));
  auto listener = Listener::listen(deep + "/socket", 0600);
  REQUIRE(listener);
  REQUIRE(Connection::connect(deep + "/socket"));
  CHECK(listener->accept()->has_value());
  const std::string long_name = folder.path() + "/" + std::string(150, 'n');
  CHECK(Listener::listen(long_name, 0600).error() == Errc::invalid_argument);
  CHECK(Connection::connect(long_name).error() == Errc::invalid_argument);
}

TEST_CASE("a listener replaces a dead socket file, never another file, and sets its mode") {
  const test::TemporaryFolder folder;
  const std::string path = folder.path() + "/s";
  { REQUIRE(Listener::listen(path, 0600)); }
  CHECK(Connection::connect(path).error() == Errc::unreachable);
  const auto listener = Listener::listen(path, 0666);
  REQUIRE(listener);
  CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::all) ==
        static_cast<std::filesystem::perms>(0666));
  std::ofstream(folder.path() + "/file") << "kept";
  CHECK(Listener::listen(folder.path() + "/file", 0600).error() == Errc::exists);
  CHECK(Connection::connect(folder.path() + "/absent").error() == Errc::unreachable);
}
