// References as requests: what is malformed, who may ask, and which permits a script may give.
#include "director/permits.hpp"
#include "raw_client.hpp"

namespace sessionblocks::director::test {
namespace {

// A suite whose script nobody starts; the test is its worker, and one of the suite's own scope.
DirectorOptions directed(const Surroundings& around) {
  DirectorOptions options = bare_options(around);
  Suite suite;
  suite.name = around.system();
  ScriptSpec keeper;
  keeper.name = "keeper";
  keeper.command = {"/bin/true"};
  keeper.start = StartWhen::on_request;
  keeper.may_create = {"cart-*"};
  suite.scripts.push_back(std::move(keeper));
  options.suite = std::move(suite);
  return options;
}

struct System {
  explicit System(DirectorOptions (*make)(const Surroundings&)) : running(make(around)) {}

  std::unique_ptr<RawClient> worker(const std::string& path) {
    auto client = std::make_unique<RawClient>(running.socket());
    const auto token = running.director().token_for_scope(around.system() + path);
    REQUIRE(token);
    REQUIRE(client->attach({}, *token).ok());
    return client;
  }
  std::uint32_t permits_of(const std::string& name) {
    std::uint32_t permits = 0;
    running.director().call([&](Registry& registry) {
      const auto named = registry.blocks.named(name);
      if (!named.empty()) permits = named.front()->permits;
    });
    return permits;
  }

  Surroundings around;
  RunningDirector running;
};

Message create(const std::string& name, const std::vector<std::string>& permit) {
  return {{"op", "create"}, {"name", name}, {"quota", 1U << 20U}, {"permit", permit}};
}

Message share(unsigned open) {
  return {
      {"op", "share"}, {"open", open}, {"rights", 1}, {"audience", "*"}, {"lifetime_ms", 9'000}};
}

}  // namespace

TEST_CASE("a script under a suite lets others use and copy what it makes, and nothing outlive it") {
  System system(directed);
  const auto script = system.worker("/keeper");
  CHECK(script->ask(create("cart-1", {"share", "fork"})).ok());
  CHECK(system.permits_of("cart-1") == 3);
  for (const char* permit : {"persist", "elevate"}) {
    const auto refused = script->ask(create("cart-2", {"share", permit}));
    CHECK(refused.error() == Errc::not_permitted);
    CHECK(error_of(refused.body).context().find("suite file") != std::string::npos);
  }
  CHECK(script->ask(create("other", {"share"})).error() == Errc::not_permitted);
  CHECK(script->ask(create("cart-3", {})).ok());
  CHECK(system.permits_of("cart-3") == 0);
  const auto owner = system.worker("");
  CHECK(owner->ask(create("all", {"share", "fork", "persist", "elevate"})).ok());
  CHECK(system.permits_of("all") == 15);
}

TEST_CASE("without a suite whoever makes a block gives it any permit, spelled right") {
  System system(bare_options);
  const auto owner = system.worker("/a");
  CHECK(owner->ask(create("cart", {"elevate", "persist"})).ok());
  CHECK(system.permits_of("cart") == 12);
  CHECK(owner->ask(create("odd", {"lend"})).error() == Errc::invalid_argument);
  Message odd = create("odd", {});
  for (const Message& permit : {Message("share"), Message({{"share", 1}}), Message({1, 2})}) {
    odd["permit"] = permit;
    CHECK(owner->ask(odd).error() == Errc::malformed);
  }
  odd["permit"] = std::vector<std::string>(17, "share");
  CHECK(owner->ask(odd).error() == Errc::invalid_argument);
}

TEST_CASE("a request to share or redeem that is wrong says which field") {
  System system(bare_options);
  const auto owner = system.worker("/a");
  REQUIRE(owner->ask(create("cart", {"share"})).ok());
  const auto opened = owner->open("cart", 0);
  const auto open = opened.body.at("open").get<unsigned>();
  const auto wrong = [&](const char* field, const Message& value, Errc expected) {
    Message request = share(open);
    request[field] = value;
    INFO(field << " " << value.dump());
    CHECK(owner->ask(request).error() == expected);
  };
  wrong("open", 400, Errc::invalid_argument);
  wrong("open", "cart", Errc::malformed);
  wrong("rights", 0, Errc::invalid_argument);
  wrong("rights", 3, Errc::malformed);
  wrong("audience", 7, Errc::malformed);
  wrong("audience", std::string(513, 'a'), Errc::malformed);
  wrong("lifetime_ms", -1, Errc::malformed);
  wrong("lifetime_ms", 0, Errc::invalid_argument);
  wrong("single_use", 2, Errc::malformed);
  CHECK(owner->ask({{"op", "redeem"}}).error() == Errc::malformed);
  CHECK(owner->ask({{"op", "redeem"}, {"token", 7}}).error() == Errc::malformed);
  CHECK(owner->ask(share(open)).ok());
}

TEST_CASE("a reference is looked at by who may redeem it and by operators, and not used up") {
  System system(bare_options);
  const auto owner = system.worker("/a");
  const auto other = system.worker("/b");
  REQUIRE(owner->ask(create("cart", {"share"})).ok());
  Message request = share(owner->open("cart", 0).body.at("open").get<unsigned>());
  request["single_use"] = 1;
  request["audience"] = system.around.system() + "/b";
  const auto token = owner->ask(request).body.at("token").get<std::string>();
  const Message check = {{"op", "check_reference"}, {"token", token}};
  RawClient stranger(system.running.socket());
  CHECK(stranger.ask(check).error() == Errc::denied);
  CHECK(stranger.ask({{"op", "redeem"}, {"token", token}}).error() == Errc::not_attached);
  REQUIRE(stranger.prove_operator(system.around.runtime()).ok());
  CHECK(stranger.ask({{"op", "redeem"}, {"token", token}}).error() == Errc::not_attached);
  const auto refusal = [&](RawClient& client) {
    const auto seen = client.ask(check);
    REQUIRE(seen.ok());
    CHECK(seen.body.at("name") == "cart");
    return seen.body.contains("refusal") ? error_of(seen.body.at("refusal")).code() : Errc{};
  };
  CHECK(refusal(stranger) == Errc{});
  CHECK(refusal(*other) == Errc{});
  CHECK(refusal(*owner) == Errc::reference_wrong_audience);
  REQUIRE(other->ask({{"op", "redeem"}, {"token", token}}).ok());
  CHECK(refusal(stranger) == Errc::reference_used);
  CHECK(refusal(*other) == Errc::reference_used);
}

}  // namespace sessionblocks::director::test
