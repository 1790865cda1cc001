// What a scope may do to a block that it owns, and what handles say of it then.
#include <sessionblocks/sessionblocks.hpp>

#include <unistd.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <map>
#include <thread>

using namespace sessionblocks;
using namespace std::chrono_literals;

namespace {

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

struct Fixture {
  Fixture() {
    ::alarm(100);
    BlockOptions options;
    options.name = "own";
    options.quota_bytes = 8ULL << 20U;
    own.emplace(session.create(options).value());
  }
  ~Fixture() { ::alarm(0); }
  SessionSystem system = SessionSystem::embedded().value();
  Session session = system.attach("main").value();
  std::optional<Block> own;
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a sealed block is read as before, and nobody writes to it") {
  REQUIRE(own->put("k", "v"));
  REQUIRE(session.seal("own"));
  CHECK(own->get<std::string>("k")->value == "v");
  CHECK(own->for_each({}, nullptr).value() == 1);
  CHECK(code(own->put("k", "w")) == Errc::sealed);
  CHECK(code(own->add("new", "w")) == Errc::sealed);
  CHECK(code(own->erase("k")) == Errc::sealed);
  CHECK(code(own->increment("n")) == Errc::sealed);
  CHECK(code(own->touch("k", Expiry::never())) == Errc::sealed);
  CHECK(own->get<std::string>("k")->value == "v");
  Session second = system.attach("main").value();
  CHECK(code(second.open("own", AccessMode::read_write)) == Errc::sealed);
  CHECK_FALSE(second.open("own").value().is_writable());
  CHECK(code(session.seal("own")) == Errc::invalid_argument);
  CHECK(own->take_checkpoint("still"));
  CHECK(session.destroy("own"));
  CHECK(code(own->get<std::string>("k")) == Errc::gone);
}

TEST_CASE_METHOD(Fixture, "once a seal has returned nothing changes, whoever was writing") {
  std::atomic<unsigned> sealed{0};
  std::atomic<std::uint64_t> writes{0};
  std::vector<std::jthread> writers;
  for (unsigned writer = 0; writer < 3; ++writer) {
    writers.emplace_back([&, writer] {
      for (std::uint64_t i = 0;; ++i) {
        const auto put = own->put(std::to_string(writer) + "/" + std::to_string(i % 500), "x");
        if (code(put) == Errc::sealed) break;
        if (!put) std::abort();
        ++writes;
      }
      ++sealed;
    });
  }
  while (writes < 20'000) std::this_thread::sleep_for(1ms);
  REQUIRE(session.seal("own"));
  const auto versions = [&] {
    std::map<std::string, Version> found;
    REQUIRE(own->for_each({}, [&](const EntryView& entry) {
      found[std::string(entry.key)] = entry.version;
      return true;
    }));
    return found;
  };
  const auto then = versions();
  writers.clear();
  CHECK(sealed == 3);
  CHECK(versions() == then);
}

TEST_CASE_METHOD(Fixture, "a wiped block answers wiped, whatever is asked of it") {
  REQUIRE(own->put("k", "v"));
  const auto checkpoint = own->take_checkpoint("then");
  REQUIRE(checkpoint);
  REQUIRE(own->put("k", "w"));
  REQUIRE(session.wipe("own"));
  CHECK(code(own->get<std::string>("k")) == Errc::wiped);
  CHECK(code(own->put("k", "x")) == Errc::wiped);
  CHECK(code(own->for_each({}, nullptr)) == Errc::wiped);
  CHECK(code(own->at(*checkpoint).get<std::string>("k")) == Errc::wiped);
  CHECK(code(own->checkpoints()) == Errc::wiped);
  CHECK(code(own->take_checkpoint("now")) == Errc::wiped);
  CHECK(code(session.open("own")) == Errc::wiped);
  CHECK(code(session.wipe("own")) == Errc::invalid_argument);
  CHECK(code(session.seal("own")) == Errc::invalid_argument);
  REQUIRE(session.destroy("own"));
  CHECK(code(own->get<std::string>("k")) == Errc::gone);
}

TEST_CASE_METHOD(Fixture, "readers and writers under way find a block wiped and nothing else") {
  std::atomic<unsigned> ended{0};
  std::atomic<std::uint64_t> done{0};
  std::vector<std::jthread> users;
  for (int i = 0; i < 500; ++i) REQUIRE(own->put(std::to_string(i), std::string(200, 'x')));
  for (unsigned user = 0; user < 4; ++user) {
    users.emplace_back([&, user] {
      for (std::uint64_t i = 0;; ++i) {
        const std::string key = std::to_string(i % 500);
        const Errc outcome = user % 2 == 0 ? code(own->put(key, std::string(i % 300, 'y')))
                                           : code(own->get<std::string>(key));
        if (outcome == Errc::wiped) break;
        if (outcome != Errc{}) std::abort();
        ++done;
      }
      ++ended;
    });
  }
  while (done < 20'000) std::this_thread::sleep_for(1ms);
  REQUIRE(session.wipe("own"));
  users.clear();
  CHECK(ended == 4);
}

TEST_CASE_METHOD(Fixture, "only the scope that owns a block seals and wipes it") {
  BlockOptions options;
  options.name = "everybodys";
  options.kind = "shared";
  REQUIRE(system.create(options));
  CHECK(code(session.seal("everybodys")) == Errc::denied);
  CHECK(code(session.wipe("everybodys")) == Errc::denied);
  CHECK(code(session.seal("none")) == Errc::no_such_block);
  CHECK(code(session.wipe("two words")) == Errc::invalid_argument);
  CHECK(session.open("everybodys").value().put("k", "v"));
}
