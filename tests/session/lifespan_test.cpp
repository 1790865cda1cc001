// How blocks end and who gets them, through the public API, against a director in this process.
#include <sessionblocks/sessionblocks.hpp>

#include <unistd.h>

#include <catch2/catch.hpp>

using namespace sessionblocks;
using namespace std::chrono_literals;

namespace {

struct Lives {
  Lives() { ::alarm(120); }
  SessionSystem system = SessionSystem::embedded().value();
  Session session = system.attach("main").value();
};

BlockOptions left_to(const std::string& heir) {
  BlockOptions options;
  options.name = "draft";
  options.quota_bytes = 1U << 20U;
  options.at_end = "heir";
  options.heir = heir;
  return options;
}

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

}  // namespace

TEST_CASE_METHOD(Lives,
                 "a block that a flow scope leaves to its session goes on, handles and all") {
  auto charge = session.enter_scope("charge");
  REQUIRE(charge);
  auto draft = charge->create(left_to(session.scope()));
  REQUIRE(draft);
  REQUIRE(draft->put("key", 1));
  CHECK(code(session.open("draft")) == Errc::denied);
  REQUIRE(charge->leave());
  REQUIRE(draft->put("key", 2));
  const auto opened = session.open("draft");
  REQUIRE(opened);
  CHECK(opened->id() == draft->id());
  CHECK(opened->is_writable());
  CHECK(opened->get<std::int64_t>("key")->value == 2);
  REQUIRE(session.destroy("draft"));
  CHECK(code(draft->put("key", 3)) == Errc::gone);
}

TEST_CASE_METHOD(Lives, "how a block shall end must make sense, whoever creates it") {
  const std::string own = session.scope();
  CHECK(code(session.create(left_to(own))) == Errc::invalid_argument);
  CHECK(code(session.create(left_to("embedded/nobody"))) == Errc::no_such_scope);
  CHECK(code(session.create(left_to(""))) == Errc::invalid_argument);
  CHECK(code(system.create(left_to("embedded"))) == Errc::invalid_argument);
  CHECK(code(system.create(left_to("embedded/nobody"))) == Errc::no_such_scope);
  BlockOptions odd = left_to(own);
  odd.at_end = "bequeath";
  CHECK(code(session.create(odd)) == Errc::invalid_argument);
  CHECK(code(system.create(odd)) == Errc::invalid_argument);
  odd = left_to({});
  odd.at_end = "destroy";
  odd.idle = -1ms;
  CHECK(code(session.create(odd)) == Errc::malformed);
  CHECK(code(system.create(odd)) == Errc::invalid_argument);
  odd.idle = 1h;
  CHECK(session.create(odd));
  CHECK(system.create(left_to(own)).error() == Errc::exists);
}
