// What the director answers to clients that it does not trust. The clients are operators of a
// system without a suite, which lets a test choose its scopes.
#include <sys/mman.h>

#include <set>

#include "director/client.hpp"
#include "raw_client.hpp"

namespace sessionblocks::director::test {
namespace {

struct System {
  Surroundings around;
  RunningDirector running{bare_options(around)};

  [[nodiscard]] std::string scope(const std::string& name) const {
    return around.system() + "/" + name;
  }
  // An operator that has attached; the proof is withdrawn by none, so it is one for good.
  std::unique_ptr<RawClient> worker(const std::string& name) {
    auto client = std::make_unique<RawClient>(running.socket());
    const auto token = running.director().token_for_scope(scope(name));
    REQUIRE(token);
    REQUIRE(client->attach({}, *token).ok());
    return client;
  }
};

Message create(const std::string& name, const char* kind = "private",
               std::uint64_t quota = 1U << 20U) {
  return {{"op", "create"}, {"name", name}, {"kind", kind}, {"quota", quota}};
}

TEST_CASE("a stranger of the same user may not attach") {
  System system;
  RawClient client(system.running.socket());
  CHECK(client.attach(system.scope("a")).error() == Errc::denied);
  CHECK(client.attach().error() == Errc::denied);
  CHECK(client.attach(system.scope("a"), "1.0.00112233445566778899aabbccddeeff").error() ==
        Errc::denied);
  CHECK(client.attach({}, std::string(64, 'x')).error() == Errc::denied);
}

TEST_CASE("a token is good for its scope alone") {
  System system;
  const auto token = system.running.director().token_for_scope(system.scope("a"));
  REQUIRE(system.running.director().token_for_scope(system.scope("b")));
  RawClient client(system.running.socket());
  CHECK(client.attach(system.scope("b"), *token).error() == Errc::denied);
  const auto attached = client.attach(system.scope("a"), *token);
  REQUIRE(attached.ok());
  CHECK(attached.body["scope"] == system.scope("a"));
  CHECK(attached.descriptor);
  CHECK(client.attach({}, *token).error() == Errc::invalid_argument);  // once a connection
}

TEST_CASE("a token with one changed character is no token") {
  System system;
  const auto token = system.running.director().token_for_scope(system.scope("a"));
  REQUIRE(token);
  RawClient client(system.running.socket());
  for (std::size_t at = 0; at < token->size(); ++at) {
    std::string forged = *token;
    forged[at] = forged[at] == '7' ? '8' : '7';
    CHECK(client.attach({}, forged).error() == Errc::denied);
  }
  CHECK(client.attach({}, token->substr(0, token->size() - 1)).error() == Errc::denied);
  CHECK(client.attach({}, *token + "0").error() == Errc::denied);
  CHECK(client.attach({}, *token).ok());
}

TEST_CASE("operators prove that they can read the key, and nothing else makes one") {
  System system;
  RawClient client(system.running.socket());
  const std::vector<Message> commands = {{{"op", "stop"}},
                                         {{"op", "end_scope"}, {"scope", "x"}},
                                         {{"op", "list"}, {"what", "blocks"}},
                                         {{"op", "destroy"}, {"name", "cart"}}};
  for (const Message& command : commands) CHECK(client.ask(command).error() == Errc::denied);
  const std::vector<std::uint8_t> guess(32, 7);
  CHECK(client.ask({{"op", "operator"}, {"key", Message::binary(guess)}}).error() == Errc::denied);
  CHECK(client.ask({{"op", "operator"}, {"key", Message::binary({})}}).error() == Errc::denied);
  CHECK(client.ask({{"op", "operator"}, {"key", "text"}}).error() == Errc::malformed);
  for (const Message& command : commands) CHECK(client.ask(command).error() == Errc::denied);
  REQUIRE(client.prove_operator(system.around.runtime()).ok());
  CHECK(client.ask({{"op", "list"}, {"what", "blocks"}}).ok());
}

TEST_CASE("an attached worker is no operator") {
  System system;
  const auto client = system.worker("a");
  CHECK(client->ask({{"op", "stop"}}).error() == Errc::denied);
  CHECK(client->ask({{"op", "end_scope"}, {"scope", system.scope("a")}}).error() == Errc::denied);
}

TEST_CASE("another layout or protocol is named and refused") {
  System system;
  RawClient client(system.running.socket());
  Message other = RawClient::attach_request();
  other["layout"] = 1;
  CHECK(client.ask(other).error() == Errc::layout_mismatch);
  other = RawClient::attach_request();
  other["protocol"] = 2;
  CHECK(client.ask(other).error() == Errc::layout_mismatch);
}

TEST_CASE("a private block stays its scope's, whoever asks by name") {
  System system;
  const auto owner = system.worker("a");
  const auto other = system.worker("b");
  REQUIRE(owner->ask(create("secret")).ok());
  CHECK(owner->open("secret", 0).ok());
  CHECK(other->open("secret", 0).error() == Errc::denied);
  CHECK(other->open("secret", 1).error() == Errc::denied);
  CHECK(other->ask({{"op", "destroy"}, {"name", "secret"}}).error() == Errc::denied);
  CHECK(other->ask(create("secret")).error() == Errc::exists);
  CHECK(other->open("absent", 0).error() == Errc::no_such_block);
}

TEST_CASE("a block asked for read-only cannot be mapped for writing") {
  System system;
  const auto owner = system.worker("a");
  REQUIRE(owner->ask(create("cart")).ok());
  const auto reading = owner->open("cart", 1);
  REQUIRE(reading.ok());
  CHECK(reading.body["rights"] == 1);
  const auto bytes = reading.body["bytes"].get<std::size_t>();
  const int fd = reading.descriptor.get();
  CHECK(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
  void* const seen = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  REQUIRE(seen != MAP_FAILED);
  CHECK(::mprotect(seen, bytes, PROT_READ | PROT_WRITE) != 0);
  ::munmap(seen, bytes);
}

TEST_CASE("no descriptor that a worker gets changes the size of its segment") {
  System system;
  const auto owner = system.worker("a");
  REQUIRE(owner->ask(create("cart")).ok());
  const auto block = owner->open("cart", 2);
  REQUIRE(block.ok());
  const auto readers = owner->ask({{"op", "readers"}, {"open", block.body["open"]}});
  const auto worker = owner->ask({{"op", "worker_segment"}});
  for (const Answered* segment : {&block, &readers, &worker}) {
    REQUIRE(segment->descriptor);
    CHECK(::ftruncate(segment->descriptor.get(), 0) != 0);
  }
}

TEST_CASE("quotas that cannot be are refused and leave nothing") {
  System system;
  const auto owner = system.worker("a");
  const auto before = system.around.segments();
  CHECK(owner->ask(create("a", "private", 1)).error() == Errc::invalid_argument);
  CHECK(owner->ask(create("a", "private", UINT64_MAX)).error() == Errc::invalid_argument);
  CHECK(owner->ask(create("a", "private", std::uint64_t{1} << 40U)).error() == Errc::out_of_memory);
  CHECK(system.around.segments() == before);
}

TEST_CASE("wrong, missing and absurd fields are errors that name the field") {
  System system;
  const auto client = system.worker("a");
  const std::string huge(20'000, 'n');
  const std::vector<std::pair<Message, Errc>> requests = {
      {{{"op", 5}}, Errc::malformed},
      {{{"op", huge}}, Errc::malformed},
      {{{"op", "no_such"}}, Errc::invalid_argument},
      {Message::object(), Errc::malformed},
      {{{"op", "open"}}, Errc::malformed},
      {{{"op", "open"}, {"name", 1}}, Errc::malformed},
      {{{"op", "open"}, {"name", huge}}, Errc::malformed},
      {{{"op", "open"}, {"name", ""}}, Errc::invalid_argument},
      {{{"op", "open"}, {"name", "../../etc/passwd"}}, Errc::invalid_argument},
      {{{"op", "open"}, {"name", "cart"}, {"mode", 3}}, Errc::malformed},
      {{{"op", "open"}, {"name", "cart"}, {"mode", -1}}, Errc::malformed},
      {{{"op", "open"}, {"name", "cart"}, {"mode", 1.5}}, Errc::malformed},
      {{{"op", "readers"}, {"open", 0}}, Errc::invalid_argument},
      {{{"op", "close"}, {"open", 1'000'000}}, Errc::malformed},
      {{{"op", "create"}, {"name", "a b"}}, Errc::invalid_argument},
      {{{"op", "create"}, {"name", "ok"}, {"kind", "odd"}}, Errc::invalid_argument},
      {{{"op", "create"}, {"name", "ok"}, {"quota", "64MiB"}}, Errc::malformed},
      {{{"op", "create"}, {"name", "ok"}, {"lifespan_ms", -5}}, Errc::malformed},
      {{{"op", "list"}, {"what", "secrets"}}, Errc::invalid_argument},
      {{{"op", "list"}, {"what", "blocks"}, {"cursor", "x"}}, Errc::malformed}};
  for (const auto& [request, expected] : requests) {
    INFO(request.dump().substr(0, 80));
    CHECK(client->ask(request).error() == expected);
  }
  CHECK(client->ask(create("still-works")).ok());
}

TEST_CASE("bytes that are no message are answered, and too many end the connection only") {
  System system;
  RawClient hostile(system.running.socket());
  hostile.send_bytes(std::vector<std::uint8_t>(60'000, 0x81));
  const Answered refused = hostile.receive();
  CHECK(refused.body["id"] == 0);
  CHECK(refused.error() == Errc::malformed);
  for (int more = 1; more < Client::kMaxMalformed; ++more) {
    hostile.send_bytes(std::vector<std::uint8_t>{0xFF});
    static_cast<void>(hostile.receive());
  }
  CHECK(hostile.receive().closed);
  CHECK(system.worker("a")->ask(create("cart")).ok());
}

TEST_CASE("a client that never reads is disconnected and nobody else notices") {
  System system;
  RawClient deaf(system.running.socket());
  REQUIRE(deaf.prove_operator(system.around.runtime()).ok());
  const auto request = encode_message({{"op", "list"}, {"what", "workers"}, {"id", 1}});
  auto connection = platform::Connection::connect(system.running.socket());
  REQUIRE(connection);
  const auto bytes = std::as_bytes(std::span(*request));
  // Until the director closes: the socket's buffers hold some hundred replies, its queue 128.
  bool closed = false;
  while (!closed) {
    const auto sent = connection->send(bytes);
    REQUIRE(sent);
    closed = *sent == platform::SendOutcome::peer_closed;
    if (*sent == platform::SendOutcome::would_block) {
      pollfd waiting{connection->fd(), POLLOUT, 0};
      ::poll(&waiting, 1, -1);
    }
  }
  CHECK(deaf.ask({{"op", "list"}, {"what", "workers"}}).ok());
}

TEST_CASE("listings come in parts and each row once") {
  System system;
  const auto owner = system.worker("a");
  constexpr int kBlocks = 150;
  for (int i = 0; i < kBlocks; ++i) {
    REQUIRE(owner->ask(create("b" + std::to_string(i), "private", 512 * 1024)).ok());
  }
  std::set<std::string> names;
  Message request = {{"op", "list"}, {"what", "blocks"}};
  int parts = 0;
  while (true) {
    const Answered part = owner->ask(request);
    REQUIRE(part.ok());
    ++parts;
    for (const auto& row : part.body["rows"]) {
      CHECK(names.insert(row["name"].get<std::string>()).second);
    }
    if (!part.body.contains("cursor")) break;
    request["cursor"] = part.body["cursor"];
  }
  CHECK(names.size() == kBlocks);
  CHECK(parts > 1);
}

TEST_CASE("who has a block open is told when it is destroyed, and may not get more of it") {
  System system;
  const auto owner = system.worker("a");
  REQUIRE(owner->ask(create("cart", "shared")).ok());
  const auto second = system.worker("a");
  const auto opened = second->open("cart", 0);
  REQUIRE(opened.ok());
  REQUIRE(owner->ask({{"op", "destroy"}, {"name", "cart"}}).ok());
  const Answered event = second->receive();
  CHECK(event.body["event"] == "unmap");
  CHECK(event.body["open"] == opened.body["open"]);
  CHECK(second->ask({{"op", "readers"}, {"open", opened.body["open"]}}).error() == Errc::gone);
  CHECK(second->ask({{"op", "close"}, {"open", opened.body["open"]}}).ok());
  CHECK(second->open("cart", 0).error() == Errc::no_such_block);
  CHECK(owner->ask(create("cart")).ok());  // the name is free again
}

TEST_CASE("a block ends when its lifespan has passed") {
  System system;
  const auto owner = system.worker("a");
  Message request = create("short");
  request["lifespan_ms"] = 30;
  REQUIRE(owner->ask(request).ok());
  REQUIRE(owner->open("short", 0).ok());
  CHECK(owner->receive().body["event"] == "unmap");  // arrives by itself
}

TEST_CASE("a second director is refused with the pid of the first") {
  System system;
  const auto second = Director::start(bare_options(system.around));
  REQUIRE_FALSE(second);
  CHECK(second.error() == Errc::already_running);
  CHECK(second.error().message().find(std::to_string(::getpid())) != std::string::npos);
  CHECK(system.worker("a")->ask(create("cart")).ok());
}

TEST_CASE("a director that stops in order leaves nothing") {
  Surroundings around;
  {
    RunningDirector running(bare_options(around));
    const auto token = running.director().token_for_scope(around.system() + "/a");
    RawClient client(running.socket());
    REQUIRE(client.attach({}, *token).ok());
    REQUIRE(client.ask(create("cart")).ok());
    REQUIRE(client.open("cart", 0).ok());
    CHECK(around.segments().size() >= 4);
  }
  CHECK(around.segments().empty());
  CHECK_FALSE(fs::exists(around.runtime()));
}

TEST_CASE("an embedded system has no names to leave") {
  Surroundings around;
  DirectorOptions options = bare_options(around);
  options.naming = Naming::nameless;
  RunningDirector running(std::move(options));
  const auto token = running.director().token_for_scope(around.system() + "/a");
  RawClient client(running.socket());
  REQUIRE(client.attach({}, *token).ok());
  REQUIRE(client.ask(create("cart")).ok());
  const auto opened = client.open("cart", 0);
  REQUIRE(opened.ok());
  CHECK(::ftruncate(opened.descriptor.get(), 0) != 0);
  CHECK(around.segments().empty());
}

}  // namespace
}  // namespace sessionblocks::director::test
