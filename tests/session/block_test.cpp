// The public API, against a director in this process.
#include <sessionblocks/sessionblocks.hpp>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <cstring>
#include <limits>
#include <set>
#include <thread>

using namespace sessionblocks;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  Fixture() {
    ::alarm(120);
    BlockOptions options;
    options.name = "cart";
    options.kind = "shared";
    options.quota_bytes = 8ULL << 20U;
    REQUIRE(system.create(options));
  }
  SessionSystem system = SessionSystem::embedded().value();
  Session session = system.attach("main").value();

  Block open(AccessMode mode = AccessMode::best) { return session.open("cart", mode).value(); }
};

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

}  // namespace

TEST_CASE_METHOD(Fixture, "every type is read back as what it was put") {
  Block cart = open();
  REQUIRE(cart.put("items", 3));
  REQUIRE(cart.put("token", "secret"));
  REQUIRE(cart.put("on", true));
  REQUIRE(cart.put("price", 2.5));
  const Bytes raw = {std::byte{0}, std::byte{255}, std::byte{7}};
  REQUIRE(cart.put("raw", raw));
  CHECK(cart.get<std::int64_t>("items")->value == 3);
  CHECK(cart.get<std::string>("token")->value == "secret");
  CHECK(cart.get<bool>("on")->value);
  CHECK(cart.get<double>("price")->value == 2.5);
  CHECK(cart.get<Bytes>("raw")->value == raw);
  CHECK(std::get<std::string>(cart.get<Value>("token")->value) == "secret");
  const auto wrong = cart.get<std::int64_t>("token");
  REQUIRE(code(wrong) == Errc::wrong_type);
  CHECK(wrong.error().message().find("integer") != std::string::npos);
  CHECK(wrong.error().message().find("text") != std::string::npos);
  CHECK(code(cart.put("big", std::numeric_limits<std::uint64_t>::max())) == Errc::overflow);
}

TEST_CASE_METHOD(Fixture, "keys are 1 to 1,024 bytes, any bytes") {
  Block cart = open();
  const std::string longest(1'024, '\0');
  CHECK(cart.put(longest, "x"));
  CHECK(cart.get<std::string>(longest)->value == "x");
  CHECK(code(cart.put("", "x")) == Errc::invalid_key);
  CHECK(code(cart.put(std::string(1'025, 'k'), "x")) == Errc::invalid_key);
  CHECK(code(cart.get<std::string>("")) == Errc::invalid_key);
}

TEST_CASE_METHOD(Fixture, "a short buffer is told how much it lacks, and stays as it was") {
  Block cart = open();
  REQUIRE(cart.put("k", "0123456789"));
  std::array<std::byte, 4> small{};
  const auto got = cart.get_into("k", small);
  REQUIRE(code(got) == Errc::buffer_too_small);
  CHECK(got.error().needed_bytes() == 10);
  CHECK(small == std::array<std::byte, 4>{});
  std::array<std::byte, 16> large{};
  CHECK(cart.get_into("k", large).value() == 10);
  CHECK(std::memcmp(large.data(), "0123456789", 10) == 0);
}

TEST_CASE_METHOD(Fixture, "conditions hold, and a conflict carries the current version") {
  Block cart = open();
  const auto first = cart.add("n", 1);
  REQUIRE(first);
  const auto exists = cart.add("n", 2);
  REQUIRE(code(exists) == Errc::exists);
  CHECK(exists.error().version() == raw_version(*first));
  const auto second = cart.compare_and_set("n", *first, 2);
  REQUIRE(second);
  const auto lost = cart.compare_and_set("n", *first, 3);
  REQUIRE(code(lost) == Errc::conflict);
  CHECK(lost.error().version() == raw_version(*second));
  CHECK(code(cart.replace("absent", 1)) == Errc::not_found);
  CHECK(code(cart.compare_and_set("absent", Version{1}, 1)) == Errc::not_found);
}

TEST_CASE_METHOD(Fixture, "increment, append, get_and_erase and erase") {
  Block cart = open();
  CHECK(cart.increment("n").value() == 1);
  CHECK(cart.increment("n", 41).value() == 42);
  CHECK(code(cart.increment("n", std::numeric_limits<std::int64_t>::max())) == Errc::overflow);
  CHECK(cart.get<std::int64_t>("n")->value == 42);
  CHECK(cart.increment_real("r", 0.5).value() == 0.5);
  CHECK(code(cart.increment_real("n", 0.5)) == Errc::wrong_type);
  CHECK(code(cart.increment_real("r", std::numeric_limits<double>::infinity())) == Errc::overflow);
  CHECK(cart.append("log", "abc").value() == 3);
  CHECK(cart.append("log", "defghijkl").value() == 12);
  CHECK(code(cart.get_and_erase<std::int64_t>("log")) == Errc::wrong_type);
  CHECK(cart.get_and_erase<std::string>("log")->value == "abcdefghijkl");
  CHECK(!cart.contains("log").value());
  CHECK(cart.erase("n"));
  CHECK(code(cart.erase("n")) == Errc::not_found);
}

TEST_CASE_METHOD(Fixture, "an entry expires, keeps its expiry or loses it, as asked") {
  Block cart = open();
  REQUIRE(cart.put("k", 1, Expiry::after(1h)));
  REQUIRE(cart.increment("k"));
  CHECK(cart.get<std::int64_t>("k")->expires_in.has_value());
  REQUIRE(cart.touch("k", Expiry::never()));
  CHECK(!cart.get<std::int64_t>("k")->expires_in.has_value());
  CHECK(code(cart.put("k", 1, Expiry::after(0ms))) == Errc::invalid_argument);
  const auto version = cart.put("short", 1, Expiry::after(20ms));
  REQUIRE(version);
  // wait() sees the expiry as a change to "absent".
  CHECK(cart.wait("short", *version, 10s).value() == Version{0});
  CHECK(code(cart.get<std::int64_t>("short")) == Errc::not_found);
  CHECK(cart.add("short", 2));
}

TEST_CASE_METHOD(Fixture, "visit shows the bytes, and a callback cannot call back in") {
  Block cart = open();
  REQUIRE(cart.put("k", "value"));
  std::string seen;
  Errc inside{};
  const auto visited = cart.visit("k", [&](std::span<const std::byte> bytes) {
    seen.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    inside = code(cart.put("other", 1));
  });
  CHECK(visited);
  CHECK(seen == "value");
  CHECK(inside == Errc::reentrant);
  CHECK(code(cart.visit("absent", [](auto) { FAIL("nothing to show"); })) == Errc::not_found);
  CHECK_THROWS_AS(cart.visit("k", [](auto) { throw std::runtime_error("mine"); }),
                  std::runtime_error);
  CHECK(cart.put("after", 1));
}

TEST_CASE_METHOD(Fixture,
                 "for_each shows each entry of a prefix once; size counts; get_many keeps order") {
  Block cart = open();
  for (int i = 0; i < 5'000; ++i) REQUIRE(cart.put("a/" + std::to_string(i), i));
  for (int i = 0; i < 100; ++i) REQUIRE(cart.put("b/" + std::to_string(i), i));
  std::set<std::string> keys;
  const auto shown = cart.for_each("a/", [&](const EntryView& entry) {
    CHECK(keys.insert(std::string(entry.key)).second);
    return true;
  });
  CHECK(shown.value() == 5'000);
  CHECK(keys.size() == 5'000);
  CHECK(cart.size().value() == 5'100);
  CHECK(cart.for_each("b/", [](const EntryView&) { return false; }).value() == 1);
  const Key wanted[] = {"b/7", "nothing", "a/3"};
  const auto entries = cart.get_many(wanted);
  REQUIRE(entries.size() == 3);
  CHECK(std::get<std::int64_t>(entries[0]->value) == 7);
  CHECK(code(entries[1]) == Errc::not_found);
  CHECK(std::get<std::int64_t>(entries[2]->value) == 3);
}

TEST_CASE_METHOD(Fixture, "wait and change_fd hear of a change, a time-out and a stop") {
  Block cart = open();
  CHECK(code(cart.wait("k", Version{0}, 1ms)) == Errc::timed_out);
  std::stop_source stop;
  stop.request_stop();
  CHECK(code(cart.wait("k", Version{0}, 10s, stop.get_token())) == Errc::cancelled);
  std::thread writer([&] { (void)cart.put("k", 1); });
  const auto version = cart.wait("k", Version{0}, 60s);
  writer.join();
  REQUIRE(version);
  const auto changes = cart.change_fd("k", *version);
  REQUIRE(changes);
  REQUIRE(cart.put("k", 2));
  pollfd entry{changes->fd(), POLLIN, 0};
  CHECK(::poll(&entry, 1, 60'000) == 1);
}

TEST_CASE_METHOD(Fixture, "a read-only handle does not write; a stale one says gone") {
  Block reader = open(AccessMode::read);
  CHECK(!reader.is_writable());
  CHECK(code(reader.put("k", 1)) == Errc::read_only);
  Block cart = open();
  REQUIRE(cart.put("k", 1));
  CHECK(reader.get<std::int64_t>("k")->value == 1);
  REQUIRE(system.destroy("cart"));
  CHECK(code(cart.put("k", 2)) == Errc::gone);
  CHECK(code(reader.get<std::int64_t>("k")) == Errc::gone);
  CHECK(code(session.open("cart")) == Errc::no_such_block);
}

TEST_CASE_METHOD(Fixture, "a forked child is told that the handles are not its own") {
  Block cart = open();
  REQUIRE(cart.put("k", 1));
  const pid_t child = ::fork();
  if (child == 0) {
    const bool refused =
        code(cart.get<std::int64_t>("k")) == Errc::forked && code(cart.put("k", 2)) == Errc::forked;
    ::_exit(refused ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(cart.get<std::int64_t>("k")->value == 1);
}

TEST_CASE_METHOD(Fixture, "threads share a handle, and more than the lanes are refused by name") {
  Block cart = open();
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1'000; ++n) {
        if (!cart.increment("n")) std::abort();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(cart.get<std::int64_t>("n")->value == 8'000);
  // Lanes come back when their threads end, so many more threads than lanes may come in turn.
  for (int i = 0; i < 100; ++i) {
    std::thread([&] { CHECK(cart.increment("n")); }).join();
  }
  std::atomic<int> refused{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> many;
  std::atomic<int> tried{0};
  for (int i = 0; i < 40; ++i) {
    many.emplace_back([&] {
      if (code(cart.increment("n")) == Errc::too_many) ++refused;
      ++tried;
      while (!go) std::this_thread::yield();  // keeps its lane
    });
  }
  while (tried < 40) std::this_thread::yield();
  go = true;
  for (auto& thread : many) thread.join();
  CHECK(refused >= 8);
}

TEST_CASE("a full block refuses, keeps what it has, and can be emptied") {
  ::alarm(120);
  SessionSystem system = SessionSystem::embedded().value();
  BlockOptions options;
  options.name = "small";
  options.kind = "shared";
  options.quota_bytes = 1ULL << 20U;
  REQUIRE(system.create(options));
  Session session = system.attach().value();
  Block small = session.open("small").value();
  CHECK(code(small.put("huge", std::string(2U << 20U, 'x'))) == Errc::value_too_large);
  int count = 0;
  Errc end{};
  while (end == Errc{}) end = code(small.put("k" + std::to_string(count++), std::string(900, 'v')));
  CHECK(end == Errc::out_of_memory);
  CHECK(small.get<std::string>("k0")->value == std::string(900, 'v'));
  for (int i = 0; i + 1 < count; ++i) REQUIRE(small.erase("k" + std::to_string(i)));
  CHECK(small.size().value() == 0);
  CHECK(small.put("again", std::string(900, 'w')));
}
