// Forks of blocks through the public API.
#include <sessionblocks/sessionblocks.hpp>

#include <unistd.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <map>
#include <thread>

using namespace sessionblocks;

namespace {

struct Fixture {
  Fixture() {
    ::alarm(200);
    BlockOptions options;
    options.name = "cart";
    options.kind = "shared";
    options.quota_bytes = 32ULL << 20U;
    options.permit = {"fork"};
    REQUIRE(system.create(options));
    cart.emplace(session.open("cart").value());
  }
  ~Fixture() { ::alarm(0); }
  SessionSystem system = SessionSystem::embedded().value();
  Session session = system.attach("main").value();
  std::optional<Block> cart;
};

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

template <typename Readable>
std::map<std::string, std::string> texts_of(const Readable& from) {
  std::map<std::string, std::string> found;
  REQUIRE(from.for_each("", [&](const EntryView& entry) {
    found.emplace(entry.key, std::string(reinterpret_cast<const char*>(entry.value.data()),
                                         entry.value.size()));
    return true;
  }));
  return found;
}

}  // namespace

TEST_CASE_METHOD(Fixture, "a fork begins as its origin is, and is separate from then on") {
  REQUIRE(cart->put("items", 3));
  REQUIRE(cart->put("token", "t", Expiry::after(std::chrono::hours(1))));
  REQUIRE(cart->put("large", std::string(50'000, 'l')));
  Block fork = session.fork(*cart).value();
  CHECK(fork.name() == "cart-fork-1");
  CHECK(fork.id() != cart->id());
  CHECK(texts_of(fork) == texts_of(*cart));
  CHECK(fork.get<std::string>("token")->expires_in.has_value());
  REQUIRE(fork.increment("items"));
  REQUIRE(cart->erase("token"));
  CHECK(cart->get<std::int64_t>("items")->value == 3);
  CHECK(fork.get<std::string>("token")->value == "t");
  CHECK(session.fork(*cart).value().name() == "cart-fork-2");
  CHECK(session.fork(fork, "deeper").value().get<std::int64_t>("items")->value == 4);
  CHECK(code(session.fork(*cart, "deeper")) == Errc::exists);
  const auto bases = cart->checkpoints().value();
  REQUIRE(bases.size() == 2);
  CHECK(bases[0].name == "fork-" + std::to_string(fork.id()));
  CHECK(fork.checkpoints().value()[0].name == "base");
  // It ends, and its origin holds nothing for it any more.
  REQUIRE(session.destroy("cart-fork-1"));
  CHECK(cart->checkpoints().value().size() == 1);
  CHECK(code(cart->take_checkpoint("fork-7")) == Errc::invalid_argument);
}

TEST_CASE_METHOD(Fixture, "a fork needs the permit, and there are only so many of them") {
  BlockOptions options;
  options.name = "plain";
  REQUIRE(session.create(options));
  CHECK(code(session.fork(session.open("plain").value())) == Errc::not_permitted);
  CHECK(code(session.fork(*cart, "no name!")) == Errc::invalid_argument);
  std::vector<Block> chain;
  chain.push_back(session.fork(*cart).value());
  while (chain.size() < 8)
    chain.push_back(session.fork(chain.back(), "deep" + std::to_string(chain.size())).value());
  CHECK(code(session.fork(chain.back())) == Errc::too_many);
  while (chain.size() < 8 + 31) chain.push_back(session.fork(*cart).value());
  CHECK(code(session.fork(*cart)) == Errc::too_many);
  REQUIRE(session.destroy(chain.back().name()));
  CHECK(session.fork(*cart));
}

TEST_CASE_METHOD(Fixture, "a flow scope's fork ends with it") {
  REQUIRE(cart->put("k", "v"));
  {
    FlowScope charge = session.enter_scope("charge").value();
    const Block fork = charge.fork(*cart, "trial").value();
    CHECK(fork.get<std::string>("k")->value == "v");
    CHECK(cart->checkpoints().value().size() == 1);
  }
  CHECK(cart->checkpoints().value().empty());
  CHECK(code(session.open("trial")) == Errc::no_such_block);
}

// Each round raises a and then b; so at any instant a is b, or one more.
TEST_CASE_METHOD(Fixture, "a fork is the origin at one instant while writers write") {
  REQUIRE(cart->put("a", 0));
  REQUIRE(cart->put("b", 0));
  for (int i = 0; i < 3'000; ++i) REQUIRE(cart->put("filler" + std::to_string(i), i));
  std::atomic<bool> stop{false};
  std::atomic<int> rounds{0};
  std::jthread writer([&] {
    while (!stop) {
      if (!cart->increment("a") || !cart->increment("b")) std::abort();
      ++rounds;
    }
  });
  for (int i = 0; i < 20; ++i) {
    const int before = rounds;
    while (rounds == before) std::this_thread::yield();
    const Block fork = session.fork(*cart, "f").value();
    const std::int64_t a = fork.get<std::int64_t>("a")->value;
    const std::int64_t b = fork.get<std::int64_t>("b")->value;
    CHECK(a >= before);
    CHECK((a == b || a == b + 1));
    CHECK(fork.size().value() == 3'002);
    REQUIRE(session.destroy("f"));
  }
  stop = true;
}
