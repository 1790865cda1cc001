// Who may revoke and grant, and what a request must say.
#include "raw_client.hpp"

namespace sessionblocks::director {
namespace {

using namespace test;

struct System {
  System() : running(bare_options(around)) {
    prove(outsider);
    prove(owner);
    prove(other);
    REQUIRE(owner.attach(around.system() + "/owner").ok());
    REQUIRE(other.attach(around.system() + "/other").ok());
    REQUIRE(owner.ask({{"op", "create"}, {"name", "own"}, {"quota", 1U << 20U}}).ok());
  }
  void prove(RawClient& client) const { REQUIRE(client.prove_operator(around.runtime()).ok()); }
  [[nodiscard]] Message about(const std::string& op, const std::string& scope) const {
    return {{"op", op}, {"name", "own"}, {"scope", around.system() + scope}};
  }

  Surroundings around;
  RunningDirector running;
  RawClient outsider{running.socket()};
  RawClient owner{running.socket()};
  RawClient other{running.socket()};
};

}  // namespace

TEST_CASE_METHOD(System, "a request to revoke says from whom, and what is left, in so many words") {
  Message request = about("revoke", "/other");
  request["left"] = 2;
  CHECK(owner.ask(request).error() == Errc::malformed);
  request["left"] = "r";
  CHECK(owner.ask(request).error() == Errc::malformed);
  request.erase("left");
  request["enforce"] = "gently";
  CHECK(owner.ask(request).error() == Errc::invalid_argument);
  request.erase("enforce");
  request["scope"] = 7;
  CHECK(owner.ask(request).error() == Errc::malformed);
  CHECK(owner.ask({{"op", "revoke"}, {"name", "own"}}).error() == Errc::malformed);
  CHECK(owner.ask(about("revoke", "/nobody")).error() == Errc::no_such_scope);
  request["scope"] = around.system() + "/" + std::string(9'000, 'x');
  CHECK(owner.ask(request).error() == Errc::malformed);
  CHECK(owner.ask(about("revoke", "/other")).ok());
  CHECK(owner.ask(about("revoke", "/other")).ok());  // again
}

TEST_CASE_METHOD(System, "giving back is for operators, and for nobody else") {
  RawClient stranger(running.socket());
  CHECK(stranger.ask(about("revoke", "/other")).error() == Errc::denied);
  CHECK(stranger.ask(about("grant", "/other")).error() == Errc::denied);
  CHECK(outsider.ask(about("grant", "/other")).error() == Errc::invalid_argument);
  CHECK(outsider.ask(about("revoke", "/other")).ok());
  CHECK(outsider.ask(about("grant", "/other")).ok());
  CHECK(outsider.ask({{"op", "grant"}, {"name", "own"}}).error() == Errc::malformed);
}

}  // namespace sessionblocks::director
