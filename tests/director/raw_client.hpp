// The protocol as bare messages, for tests of what the director answers; and the surroundings that
// such a test needs. No part of the library under test but its transport.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "director/director.hpp"
#include "layout/layout_hash.hpp"
#include "platform/shared_segment.hpp"
#include "platform/socket.hpp"
#include "session/message.hpp"
#include "sleeper.hpp"

namespace sessionblocks::director::test {

namespace fs = std::filesystem;

inline constexpr unsigned kWatchdogSeconds = 120;

struct Answered {
  Message body;
  platform::UniqueFd descriptor;
  bool closed = false;
  [[nodiscard]] Errc error() const { return error_of(body).code(); }
  [[nodiscard]] bool ok() const { return !closed && !body.contains("error"); }
};

class RawClient {
 public:
  explicit RawClient(const std::string& socket) : connection_(open(socket)) {}

  void send_bytes(std::span<const std::uint8_t> bytes) {
    while (true) {
      const auto sent = connection_.send(std::as_bytes(bytes));
      REQUIRE(sent);
      if (*sent != platform::SendOutcome::would_block) return;
      wait(POLLOUT);
    }
  }
  // The next message, an event perhaps.
  Answered receive() {
    std::vector<std::byte> buffer(kMaxMessageBytes);
    while (true) {
      auto received = connection_.receive(buffer);
      REQUIRE(received);
      if (received->outcome == platform::ReceiveOutcome::peer_closed) return {{}, {}, true};
      if (received->outcome == platform::ReceiveOutcome::received) {
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(buffer.data());
        auto body = decode_message({bytes, received->bytes});
        REQUIRE(body);
        return {std::move(*body), std::move(received->descriptor), false};
      }
      wait(POLLIN);
    }
  }
  Answered ask(Message request) {
    request["id"] = ++id_;
    const auto bytes = encode_message(request);
    REQUIRE(bytes);
    send_bytes(*bytes);
    while (true) {
      Answered answered = receive();
      if (answered.closed || !answered.body.contains("event")) return answered;
    }
  }

  static Message attach_request() {
    return {{"op", "attach"}, {"protocol", 1}, {"layout", layout::layout_hash()}};
  }
  Answered attach(const std::string& scope = {}, const std::string& token = {}) {
    Message request = attach_request();
    if (!scope.empty()) request["scope"] = scope;
    if (!token.empty()) request["token"] = token;
    return ask(std::move(request));
  }
  Answered open(const std::string& name, int mode) {
    return ask({{"op", "open"}, {"name", name}, {"mode", mode}});
  }
  // By the key file beside the socket.
  Answered prove_operator(const fs::path& directory) {
    std::ifstream file(directory / "operator.key", std::ios::binary);
    const std::vector<std::uint8_t> key{std::istreambuf_iterator<char>(file), {}};
    return ask({{"op", "operator"}, {"key", Message::binary(key)}});
  }

 private:
  static platform::Connection open(const std::string& socket) {
    auto connection = platform::Connection::connect(socket);
    REQUIRE(connection);
    return std::move(*connection);
  }
  void wait(short events) {
    pollfd waiting{connection_.fd(), events, 0};
    ::poll(&waiting, 1, -1);  // the watchdog bounds it
  }

  platform::Connection connection_;
  std::uint64_t id_ = 0;
};

// A folder of the test's own, and a system name that no other test has.
class Surroundings {
 public:
  Surroundings() : system_(unique()), directory_(fs::temp_directory_path() / system_) {
    ::alarm(kWatchdogSeconds);
    fs::create_directory(directory_);
    fs::permissions(directory_, fs::perms::owner_all);
  }
  ~Surroundings() {
    for (const std::string& name : segments()) {
      static_cast<void>(platform::SharedSegment::unlink(name));
    }
    fs::remove_all(directory_);
    ::alarm(0);
  }
  Surroundings(const Surroundings&) = delete;
  Surroundings& operator=(const Surroundings&) = delete;

  [[nodiscard]] const std::string& system() const { return system_; }
  [[nodiscard]] const fs::path& directory() const { return directory_; }
  [[nodiscard]] fs::path runtime() const { return directory_ / "run"; }
  [[nodiscard]] std::string prefix() const {
    return "sessionblocks." + std::to_string(::geteuid()) + "." + system_ + ".";
  }
  [[nodiscard]] std::vector<std::string> segments() const {
    auto names = platform::SharedSegment::list(prefix());
    return names ? *names : std::vector<std::string>{"cannot list"};
  }
  // Another process than the test's, that lives as long: control names it where a test's own
  // workers must not count as the director. With a dead one, any director that starts meanwhile
  // sweeps the system.
  [[nodiscard]] platform::ProcessIdentity director() const {
    if (!director_) director_.emplace();
    return platform::ProcessIdentity::of(director_->pid()).value();
  }

 private:
  static std::string unique() {
    static int count = 0;
    return "test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
  }
  std::string system_;
  fs::path directory_;
  mutable std::optional<Sleeper> director_;
};

// A director on a thread of the test.
class RunningDirector {
 public:
  explicit RunningDirector(DirectorOptions options) {
    auto started = Director::start(std::move(options));
    INFO((started ? std::string() : started.error().message()));
    REQUIRE(started);
    director_ = std::move(*started);
    thread_ = std::thread([this] { outcome_ = director_->run(); });
  }
  ~RunningDirector() { stop(); }
  RunningDirector(const RunningDirector&) = delete;
  RunningDirector& operator=(const RunningDirector&) = delete;

  void stop() {
    if (!thread_.joinable()) return;
    director_->stop();
    thread_.join();
  }
  [[nodiscard]] Director& director() { return *director_; }
  [[nodiscard]] std::string socket() const { return director_->socket(); }

 private:
  std::unique_ptr<Director> director_;
  Director::Outcome outcome_;
  std::thread thread_;
};

// Two scripts that nobody starts: the tests attach as operators to their scopes.
inline DirectorOptions bare_options(const Surroundings& around) {
  DirectorOptions options;
  options.system = around.system();
  options.runtime_directory = around.runtime();
  options.ring_records = layout::kMinRingRecords;
  options.makes_scopes = true;
  return options;
}

}  // namespace sessionblocks::director::test
