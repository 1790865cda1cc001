// Flow scopes through the public API, against a director in this process.
#include <sessionblocks/sessionblocks.hpp>

#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <optional>
#include <vector>

using namespace sessionblocks;

namespace {

struct Flows {
  Flows() { ::alarm(120); }
  SessionSystem system = SessionSystem::embedded().value();
  Session session = system.attach("main").value();
};

BlockOptions small(const std::string& name, const std::string& kind = "private") {
  BlockOptions options;
  options.name = name;
  options.kind = kind;
  options.quota_bytes = 1U << 20U;
  return options;
}

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

}  // namespace

TEST_CASE_METHOD(Flows, "a block of a flow scope ends with it, and its handles say gone") {
  auto charge = session.enter_scope("charge");
  REQUIRE(charge);
  CHECK(charge->path() == "embedded/main/charge");
  auto draft = charge->create(small("draft"));
  REQUIRE(draft);
  REQUIRE(draft->put("key", 1));
  CHECK(code(session.open("draft")) == Errc::denied);
  SECTION("by leave") {
    REQUIRE(charge->leave());
  }
  SECTION("by its end") {
    charge = fail(Errc::gone);
  }
  SECTION("by another one in its place") {
    *charge = session.enter_scope("other").value();
  }
  CHECK(code(draft->get<std::int64_t>("key")) == Errc::gone);
  CHECK(code(draft->put("key", 2)) == Errc::gone);
  CHECK(code(session.open("draft")) == Errc::no_such_block);
  auto again = session.enter_scope("charge");
  REQUIRE(again);
  CHECK(code(again->open("draft")) == Errc::no_such_block);
}

TEST_CASE_METHOD(Flows, "a flow scope that was left does nothing any more") {
  auto charge = session.enter_scope("charge").value();
  FlowScope moved = std::move(charge);
  CHECK(code(charge.open("draft")) == Errc::gone);
  REQUIRE(moved.create(small("draft")));
  REQUIRE(moved.leave());
  CHECK(code(moved.open("draft")) == Errc::gone);
  CHECK(code(moved.create(small("draft"))) == Errc::gone);
  CHECK(code(moved.destroy("draft")) == Errc::gone);
  CHECK(code(moved.enter_scope("inner")) == Errc::gone);
  CHECK(moved.leave());
}

TEST_CASE_METHOD(Flows, "what is left is left with all flow scopes in it") {
  auto outer = session.enter_scope("outer").value();
  auto inner = outer.enter_scope("inner").value();
  auto innermost = inner.enter_scope("innermost").value();
  CHECK(innermost.path() == "embedded/main/outer/inner/innermost");
  auto draft = innermost.create(small("draft")).value();
  REQUIRE(outer.leave());
  CHECK(code(draft.put("key", 1)) == Errc::gone);
  CHECK(code(inner.open("draft")) == Errc::gone);
  CHECK(code(inner.enter_scope("innermost")) == Errc::gone);
  CHECK(innermost.leave());
  CHECK(inner.leave());
  CHECK(session.enter_scope("outer"));
}

TEST_CASE_METHOD(Flows, "a name means the nearest block") {
  REQUIRE(session.create(small("common", "shared")));
  auto outer = session.enter_scope("work").value();
  auto inner = outer.enter_scope("work").value();
  REQUIRE(outer.create(small("draft"))->put("depth", 1));
  CHECK(inner.open("draft")->get<std::int64_t>("depth")->value == 1);
  auto around = inner.open("draft", AccessMode::read_write).value();
  REQUIRE(inner.create(small("draft"))->put("depth", 2));
  CHECK(around.get<std::int64_t>("depth")->value == 1);
  CHECK(inner.open("draft")->get<std::int64_t>("depth")->value == 2);
  CHECK(outer.open("draft")->get<std::int64_t>("depth")->value == 1);
  CHECK(inner.open("common"));
  REQUIRE(inner.destroy("draft"));
  CHECK(inner.open("draft")->get<std::int64_t>("depth")->value == 1);
  CHECK(code(session.destroy("draft")) == Errc::denied);
}

TEST_CASE_METHOD(Flows, "a name is entered once at a time at one place") {
  auto charge = session.enter_scope("charge").value();
  CHECK(code(session.enter_scope("charge")) == Errc::exists);
  auto other = system.attach("main").value();
  CHECK(code(other.enter_scope("charge")) == Errc::exists);
  CHECK(system.attach("second")->enter_scope("charge"));
  CHECK(charge.enter_scope("charge"));
  REQUIRE(charge.leave());
  CHECK(other.enter_scope("charge"));
}

TEST_CASE_METHOD(Flows, "a flow scope's name is a name, and its blocks are private") {
  for (const char* name : {"", "a/b", "a#1", "1a", "a b"}) {
    INFO(name);
    CHECK(code(session.enter_scope(name)) == Errc::invalid_argument);
  }
  auto charge = session.enter_scope("charge").value();
  CHECK(code(charge.create(small("cart", "shared"))) == Errc::invalid_argument);
}

TEST_CASE_METHOD(Flows, "one flow scope too many is refused, and room is made by leaving") {
  std::vector<FlowScope> deep;
  deep.push_back(session.enter_scope("deep").value());
  while (deep.size() < 16) deep.push_back(deep.back().enter_scope("deep").value());
  const auto deeper = deep.back().enter_scope("deep");
  REQUIRE(code(deeper) == Errc::too_many);
  CHECK(deeper.error().message().find("leave inner ones") != std::string::npos);
  std::vector<FlowScope> wide;
  for (int i = 16; i < 64; ++i) {
    wide.push_back(session.enter_scope("wide" + std::to_string(i)).value());
  }
  const auto wider = session.enter_scope("wide");
  REQUIRE(code(wider) == Errc::too_many);
  CHECK(wider.error().message().find("leave one") != std::string::npos);
  REQUIRE(wide.back().leave());
  CHECK(session.enter_scope("wide"));
  REQUIRE(deep.front().leave());
  std::vector<FlowScope> lengthy;
  const std::string name(45, 'n');
  lengthy.push_back(session.enter_scope(name).value());
  for (int i = 0; i < 7; ++i) lengthy.push_back(lengthy.back().enter_scope(name).value());
  CHECK(code(lengthy.back().enter_scope(name)) == Errc::too_many);
}

TEST_CASE_METHOD(Flows, "a flow scope keeps its session attached and ends with it") {
  std::optional<Session> other = system.attach("main").value();
  std::optional<FlowScope> charge = other->enter_scope("charge").value();
  auto draft = charge->create(small("draft")).value();
  other.reset();
  REQUIRE(draft.put("key", 1));
  CHECK(code(session.enter_scope("charge")) == Errc::exists);
  charge.reset();
  CHECK(code(draft.put("key", 1)) == Errc::gone);
  CHECK(session.enter_scope("charge"));
}

TEST_CASE_METHOD(Flows, "a forked child has no part in its parent's flow scopes") {
  auto charge = session.enter_scope("charge").value();
  auto draft = charge.create(small("draft")).value();
  const pid_t child = ::fork();
  if (child == 0) {
    const bool refused = code(charge.open("draft")) == Errc::forked &&
                         code(charge.leave()) == Errc::forked &&
                         code(session.enter_scope("other")) == Errc::forked;
    ::_exit(refused ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(draft.put("key", 1));
}
