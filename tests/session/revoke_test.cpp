// What the handles of those say who lost their rights, and of those who kept them.
#include <sessionblocks/sessionblocks.hpp>

#include <unistd.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

using namespace sessionblocks;
using namespace std::chrono_literals;

namespace {

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

// "shared" is the script's of `owner`, and all of its workers'. `guest` redeemed a reference.
struct Fixture {
  Fixture() {
    ::alarm(100);
    BlockOptions options;
    options.name = "own";
    options.quota_bytes = 4ULL << 20U;
    options.permit = {"share", "fork"};
    own.emplace(owner.create(options).value());
    REQUIRE(own->put("k", "v"));
    ShareOptions share;
    share.rights = "rw";
    share.audience = "*";
    reference = owner.share(*own, share).value();
    theirs.emplace(guest.redeem(reference).value());
  }
  ~Fixture() { ::alarm(0); }

  SessionSystem system = SessionSystem::embedded().value();
  Session owner = system.attach("owner").value();
  Session guest = system.attach("guest").value();
  std::optional<Block> own;
  std::optional<Block> theirs;
  std::string reference;
  RevokeOptions from_guest{.from = guest.scope()};
};

}  // namespace

TEST_CASE_METHOD(Fixture, "who lost all rights is denied, whatever is asked of the handle") {
  REQUIRE(theirs->put("k", "w"));
  const auto checkpoint = theirs->take_checkpoint("then");
  REQUIRE(checkpoint);
  REQUIRE(owner.revoke("own", from_guest));
  CHECK(code(theirs->get<std::string>("k")) == Errc::denied);
  CHECK(code(theirs->put("k", "x")) == Errc::denied);
  CHECK(code(theirs->for_each({}, nullptr)) == Errc::denied);
  CHECK(code(theirs->at(*checkpoint).get<std::string>("k")) == Errc::denied);
  CHECK(code(theirs->take_checkpoint("now")) == Errc::denied);
  CHECK(code(theirs->roll_back("then")) == Errc::denied);
  CHECK(code(guest.fork(*theirs)) == Errc::denied);
  CHECK(code(guest.share(*theirs, {.audience = "*"})) == Errc::denied);
  CHECK(code(guest.redeem(reference)) == Errc::denied);
  CHECK(own->get<std::string>("k")->value == "w");
  REQUIRE(own->put("k", "y"));
  CHECK(own->at(*checkpoint).get<std::string>("k")->value == "w");
}

TEST_CASE_METHOD(Fixture, "who may still read does, and is told that writing is not for it") {
  from_guest.left = "r";
  REQUIRE(owner.revoke("own", from_guest));
  CHECK(theirs->get<std::string>("k")->value == "v");
  CHECK(code(theirs->put("k", "x")) == Errc::read_only);
  CHECK_FALSE(theirs->is_writable());
  REQUIRE(own->put("k", "y"));
  CHECK(theirs->get<std::string>("k")->value == "y");
  from_guest.left = "none";
  REQUIRE(owner.revoke("own", from_guest));
  CHECK(code(theirs->get<std::string>("k")) == Errc::denied);
  from_guest.left = "r";
  CHECK(code(owner.revoke("own", from_guest)) == Errc::invalid_argument);
}

TEST_CASE_METHOD(Fixture, "writers who keep their rights lose nothing that was acknowledged") {
  std::atomic<bool> shall_end{false};
  std::atomic<unsigned> ended{0};
  std::atomic<std::uint64_t> written{0};
  std::vector<std::jthread> users;
  for (unsigned writer = 0; writer < 2; ++writer) {
    users.emplace_back([&, writer] {
      const std::string key = "writer" + std::to_string(writer);
      std::int64_t sum = 0;
      while (!shall_end) {
        const auto now = own->increment(key);
        if (!now || *now != ++sum) std::abort();
        ++written;
      }
    });
  }
  std::atomic<std::int64_t> of_guest{0};
  users.emplace_back([&] {
    for (;;) {
      const auto now = theirs->increment("guest");
      if (code(now) == Errc::denied) break;
      if (!now || *now != ++of_guest) std::abort();
      ++written;
    }
    ++ended;
  });
  const auto await_more = [&] {
    const std::uint64_t before = written;
    while (written < before + 5'000) std::this_thread::sleep_for(1ms);
  };
  await_more();
  while (of_guest == 0) std::this_thread::sleep_for(1ms);  // its thread may start last
  REQUIRE(owner.revoke("own", from_guest));
  const auto then = own->get<std::int64_t>("guest");
  await_more();
  while (ended == 0) std::this_thread::sleep_for(1ms);
  shall_end = true;
  users.clear();
  REQUIRE(then);
  CHECK(own->get<std::int64_t>("guest")->value == then->value);
  CHECK(then->value == of_guest);
}

TEST_CASE_METHOD(Fixture, "only the scope that owns a block revokes, and only what makes sense") {
  RevokeOptions from_owner{.from = owner.scope()};
  CHECK(code(guest.revoke("own", from_owner)) == Errc::denied);
  CHECK(code(owner.revoke("none", from_guest)) == Errc::no_such_block);
  CHECK(code(owner.revoke("own", {.from = "embedded/nobody"})) == Errc::no_such_scope);
  CHECK(code(owner.revoke("own", {.from = guest.scope(), .left = "rw"})) == Errc::invalid_argument);
  from_guest.enforce = "gently";
  CHECK(code(owner.revoke("own", from_guest)) == Errc::invalid_argument);
  // The policy of the block is "cooperative": whose processes die is not for its owner to say.
  from_guest.enforce = "kill";
  CHECK(code(owner.revoke("own", from_guest)) == Errc::not_permitted);
  CHECK(code(owner.seal("own", "kill")) == Errc::not_permitted);
  CHECK(theirs->put("k", "x"));
  from_guest.enforce = "swap";
  CHECK(owner.revoke("own", from_guest));
}

TEST_CASE_METHOD(Fixture, "a hard seal is a seal, with another generation behind it") {
  REQUIRE(owner.seal("own", "swap"));
  CHECK(own->get<std::string>("k")->value == "v");
  CHECK(theirs->get<std::string>("k")->value == "v");
  CHECK(code(own->put("k", "x")) == Errc::sealed);
  CHECK(code(theirs->put("k", "x")) == Errc::sealed);
  CHECK(code(owner.seal("own", "swap")) == Errc::invalid_argument);
}

TEST_CASE_METHOD(Fixture, "a scope can lose its own block, and what it may do to it") {
  REQUIRE(owner.revoke("own", {.from = owner.scope()}));
  CHECK(code(own->get<std::string>("k")) == Errc::denied);
  CHECK(code(owner.open("own")) == Errc::denied);
  CHECK(code(owner.wipe("own")) == Errc::denied);
  CHECK(code(theirs->get<std::string>("k")) == Errc::denied);  // through the one who shared it
}
