// A block that evicts, as its users see it.
#include <sessionblocks/sessionblocks.hpp>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

namespace sessionblocks {
namespace {

using std::chrono_literals::operator""ms;

class Evicting {
 public:
  Evicting() {
    cart.name = "cart";
    cart.kind = "shared";
    cart.quota_bytes = 2U << 20U;
    cart.at_limit = "evict-lru";
  }
  Block& open() {
    REQUIRE(system.create(cart));
    block.emplace(session.open("cart").value());
    return *block;
  }
  static std::string key(int number) { return "key-" + std::to_string(number); }

  SessionSystem system = SessionSystem::embedded().value();
  Session session = system.attach().value();
  BlockOptions cart;
  std::optional<Block> block;
  const std::string value = std::string(300, 'v');
};

}  // namespace

TEST_CASE_METHOD(Evicting, "a block that refuses is full, one that evicts is not") {
  cart.at_limit = "refuse";
  open();
  int count = 0;
  while (block->put(key(count), value)) ++count;
  CHECK(block->put(key(count), value).error() == Errc::out_of_memory);
  REQUIRE(system.destroy("cart"));
  cart.at_limit = "evict-lru";
  cart.audit = GENERATE(as<std::string>(), "full", "writes", "counted");
  open();
  for (int i = 0; i < count * 4; ++i) {
    const auto put = block->put(key(i), value);
    if (!put) FAIL(i << ": " << put.error().message());
  }
  CHECK(block->contains(key(count * 4 - 1)).value());
  CHECK_FALSE(block->contains(key(0)).value());
  CHECK(block->size().value() < static_cast<unsigned>(count) * 2);
  CHECK(block->get<std::string>(key(count * 4 - 1))->value == value);
}

TEST_CASE_METHOD(Evicting, "what is read stays") {
  open();
  REQUIRE(block->put("read", value));
  REQUIRE(block->put("left", value));
  // Reads are noted in steps of 256 ms: the one is read in a later one than the other is put in.
  std::this_thread::sleep_for(600ms);
  for (int count = 0; count < 40'000; ++count) {
    REQUIRE(block->get<std::string>("read"));
    REQUIRE(block->put(key(count), value));
  }
  CHECK(block->contains("read").value());
  CHECK_FALSE(block->contains("left").value());
}

TEST_CASE_METHOD(Evicting, "threads that evict side by side find room, and read whole values") {
  open();
  constexpr int kThreads = 3;
  constexpr int kEach = 20'000;
  std::atomic<int> refused{0};
  std::atomic<int> torn{0};
  std::vector<std::jthread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] {
      for (int i = 0; i < kEach; ++i) {
        const std::string mine = key(number * kEach + i);
        const std::string bytes(static_cast<std::size_t>(50 + i % 400),
                                static_cast<char>('a' + number));
        if (!block->put(mine, bytes)) ++refused;
        const auto got = block->get<std::string>(key((number + 1) % kThreads * kEach + i));
        if (got && got->value.find_first_not_of(got->value.front()) != std::string::npos) ++torn;
        if (!got && got.error() != Errc::not_found) ++torn;
      }
    });
  }
  threads.clear();
  CHECK(refused == 0);
  CHECK(torn == 0);
  const auto walked = block->for_each("", [](const EntryView&) { return true; });
  CHECK(walked);
}

TEST_CASE_METHOD(Evicting, "what expires makes room for what is put, and nothing else does") {
  cart.at_limit = "evict-expired";
  open();
  REQUIRE(block->put("lasting", value));
  int count = 0;
  while (block->put(key(count), value, Expiry::after(300ms))) ++count;
  REQUIRE(count > 1'000);
  while (block->contains(key(count - 1)).value()) std::this_thread::sleep_for(10ms);
  for (int i = 0; i < count / 2; ++i) {
    const auto put = block->put("new-" + std::to_string(i), value);
    if (!put) FAIL(i << ": " << put.error().message());
  }
  CHECK(block->contains("lasting").value());
  CHECK(block->contains("new-0").value());
}

TEST_CASE_METHOD(Evicting, "a policy that there is not is refused by name") {
  cart.at_limit = "evict";
  const auto made = system.create(cart);
  REQUIRE(made.error() == Errc::invalid_argument);
  CHECK(made.error().message().find("at_limit 'evict'") != std::string::npos);
}

}  // namespace sessionblocks
