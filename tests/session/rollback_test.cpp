// Rolling a block back to a checkpoint, through the public API, with others at work in it.
#include <sessionblocks/sessionblocks.hpp>

#include <unistd.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <map>
#include <random>
#include <thread>

using namespace sessionblocks;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  Fixture() {
    ::alarm(200);
    BlockOptions options;
    options.name = "cart";
    options.kind = "shared";
    options.quota_bytes = 64ULL << 20U;
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

std::map<std::string, std::string> texts_of(const Block& block) {
  std::map<std::string, std::string> found;
  REQUIRE(block.for_each("", [&](const EntryView& entry) {
    found.emplace(entry.key, std::string(reinterpret_cast<const char*>(entry.value.data()),
                                         entry.value.size()));
    return true;
  }));
  return found;
}

}  // namespace

TEST_CASE_METHOD(Fixture, "a rollback brings back what a checkpoint shows, for every handle") {
  Session other = system.attach("other").value();
  const Block reader = other.open("cart", AccessMode::read).value();
  REQUIRE(cart->put("kept", "k"));
  REQUIRE(cart->put("changed", "first"));
  REQUIRE(cart->put("erased", "e"));
  const auto first = cart->take_checkpoint("first").value();
  REQUIRE(cart->put("changed", "second"));
  const auto second = cart->take_checkpoint("second").value();
  const BlockAt at_first = reader.at(first);
  const BlockAt at_second = reader.at(second);
  const Version kept = cart->get<std::string>("kept")->version;
  const Version third = cart->put("changed", "third").value();
  REQUIRE(cart->erase("erased"));
  const Version added = cart->put("added", "a").value();

  REQUIRE(cart->roll_back("first"));
  const std::map<std::string, std::string> then = {
      {"kept", "k"}, {"changed", "first"}, {"erased", "e"}};
  CHECK(texts_of(*cart) == then);
  CHECK(texts_of(reader) == then);
  CHECK(cart->id() == reader.id());
  // What nobody changed is the same entry; the rest are new versions, which nobody has seen.
  CHECK(reader.get<std::string>("kept")->version == kept);
  CHECK(raw_version(reader.get<std::string>("changed")->version) > raw_version(third));
  CHECK(code(cart->compare_and_set("changed", third, "x")) == Errc::conflict);
  CHECK(raw_version(cart->put("added", "again").value()) > raw_version(added));
  // The checkpoint is still there, and what came after it is not.
  CHECK(at_first.get<std::string>("changed")->value == "first");
  CHECK(code(at_first.get<std::string>("added")) == Errc::not_found);
  CHECK(code(at_second.get<std::string>("changed")) == Errc::no_such_checkpoint);
  const auto left = reader.checkpoints().value();
  REQUIRE(left.size() == 1);
  CHECK(left[0].name == "first");
  CHECK(cart->take_checkpoint("second").value().instant > second.instant);
  REQUIRE(cart->roll_back("first"));
  CHECK(texts_of(reader) == then);
}

TEST_CASE_METHOD(Fixture, "a rollback is refused with a reason, and nothing has changed") {
  BlockOptions options;
  options.name = "own";
  REQUIRE(session.create(options));
  Block own = session.open("own").value();
  REQUIRE(own.put("k", "v"));
  CHECK(code(own.roll_back("never")) == Errc::no_such_checkpoint);
  REQUIRE(own.take_checkpoint("one"));
  Block reader = session.open("own", AccessMode::read).value();
  CHECK(code(reader.roll_back("one")) == Errc::read_only);
  REQUIRE(own.put("k", "w"));
  REQUIRE(session.seal("own"));
  CHECK(code(own.roll_back("one")) == Errc::invalid_argument);
  CHECK(reader.get<std::string>("k")->value == "w");
}

TEST_CASE_METHOD(Fixture, "who waits for a change hears of a rollback") {
  REQUIRE(cart->put("k", "v"));
  REQUIRE(cart->take_checkpoint("one"));
  const Version now = cart->put("k", "w").value();
  const auto fd = cart->change_fd("k", now).value();
  Result<Version> heard = Version{};
  std::jthread waiter([&] { heard = cart->wait("k", now, 100s); });
  REQUIRE(cart->roll_back("one"));
  waiter.join();
  CHECK(heard.value() == cart->get<std::string>("k")->version);
}

// Each value says when it was written, in rollbacks. After a rollback nothing is seen of before it,
// but for one put that was on its way.
TEST_CASE_METHOD(Fixture, "nobody sees a value from before a rollback after one from after it") {
  constexpr std::size_t kKeys = 8;
  const auto key_of = [](std::size_t i) { return "e" + std::to_string(i); };
  for (std::size_t i = 0; i < kKeys; ++i) REQUIRE(cart->put(key_of(i), 0));
  for (int i = 0; i < 2'000; ++i) REQUIRE(cart->put("other" + std::to_string(i), i));
  REQUIRE(cart->take_checkpoint("start"));
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::uint64_t> writes{0};
  std::atomic<std::uint64_t> old{0};
  std::atomic<std::int64_t> epoch{2};  // odd while a rollback is under way
  std::jthread writer([&] {
    Block own = session.open("cart").value();
    for (std::size_t i = 0; !stop; ++i) {
      const std::int64_t now = epoch;
      if (!own.put(key_of(i % kKeys), now)) std::abort();
      ++writes;
    }
  });
  std::jthread reader([&] {
    Session another = system.attach("other").value();
    const Block own = another.open("cart", AccessMode::read).value();
    while (!stop) {
      const std::int64_t before = epoch;
      std::size_t late = 0;
      for (std::size_t i = 0; i < kKeys; ++i) {
        const auto entry = own.get<std::int64_t>(key_of(i));
        if (!entry) std::abort();
        if (entry->value != 0 && entry->value < before - 1) ++late;
        ++reads;
      }
      if (before % 2 == 0 && late > 1) old += late;
    }
  });
  for (int round = 0; round < 40; ++round) {
    const std::uint64_t written = writes;
    const std::uint64_t read = reads;
    while (writes < written + 100 || reads < read + 100) std::this_thread::yield();
    ++epoch;
    const auto rolled = cart->roll_back("start");
    INFO((rolled ? "" : rolled.error().message()));
    CHECK(rolled);
    ++epoch;
  }
  stop = true;
  writer.join();
  reader.join();
  CHECK(old == 0);
  REQUIRE(cart->roll_back("start"));
  for (std::size_t i = 0; i < kKeys; ++i) {
    CHECK(cart->get<std::int64_t>(key_of(i))->value == 0);
  }
}

// An open is two requests: the generation of the first may be over at the second.
TEST_CASE_METHOD(Fixture, "a block is opened while it is rolled back again and again") {
  REQUIRE(cart->put("k", "v"));
  REQUIRE(cart->take_checkpoint("then"));
  std::atomic<bool> stop{false};
  std::atomic<int> opened{0};
  std::jthread opener([&] {
    Session other = system.attach("other").value();
    while (!stop) {
      const auto block = other.open("cart");
      if (!block || block->get<std::string>("k")->value != "v") std::abort();
      ++opened;
    }
  });
  for (int i = 0; i < 100 || opened < 200; ++i) REQUIRE(cart->roll_back("then"));
  stop = true;
}
