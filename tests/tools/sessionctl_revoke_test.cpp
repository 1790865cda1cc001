// sessionctl revoke and grant, and what is enforced by name.
#include <catch2/catch.hpp>

#include "sessionctl_fixture.hpp"

using sessionctl_test::DirectedSystem;

namespace {

constexpr std::string_view kShop = R"(schema = 1
[suite]
name = "shop"
[block.cart]
kind = "shared"
owner = "suite"
quota = "2MiB"
grants = { keeper = "rw", watcher = "r" }
[block.settings]
kind = "inherited"
from = "cart"
heirs = { watcher = "r" }
[script.keeper]
command = ["/bin/sleep", "1000"]
[script.watcher]
command = ["/bin/sleep", "1000"]
)";

bool mentions(const std::string& text, std::string_view what) {
  return text.find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("an operator revokes rights of a scope, sees it, and grants them back") {
  DirectedSystem system(kShop);
  system.start();
  const std::vector<std::string> put = {"put", "cart", "k", "v", "--scope", "shop/keeper"};
  const std::vector<std::string> get = {"get", "cart", "k", "--scope", "shop/keeper"};
  REQUIRE(system.ctl(put).code == 0);
  REQUIRE(system.ctl({"revoke", "cart", "--from", "shop/keeper", "--to", "r"}).code == 0);
  CHECK(system.ctl(put).code == 5);
  CHECK(system.ctl(get).code == 0);
  CHECK(mentions(system.ctl({"describe", "cart"}).out, "shop/keeper (r left)"));
  REQUIRE(system.ctl({"revoke", "cart", "--from", "shop/keeper"}).code == 0);
  const auto described = system.ctl({"describe", "cart", "-o", "json"}).json();
  REQUIRE(described.contains("revoked"));
  CHECK(described["revoked"] ==
        nlohmann::json::parse(R"([{"scope": "shop/keeper", "left": "none", "under_way": false}])"));
  const auto refused = system.ctl(get);
  CHECK(refused.code == 5);
  CHECK(mentions(refused.err, "revoked"));
  CHECK(system.ctl({"get", "cart", "k", "--scope", "shop/watcher"}).code == 0);
  system.kill_director();
  system.start();
  CHECK(system.ctl(get).code == 5);
  CHECK(mentions(system.ctl({"describe", "cart"}).out, "shop/keeper (nothing left)"));
  REQUIRE(system.ctl({"grant", "cart", "--to", "shop/keeper"}).code == 0);
  CHECK(system.ctl(put).code == 0);
  const auto again = system.ctl({"grant", "cart", "--to", "shop/keeper"});
  CHECK(again.code == 2);
  CHECK(mentions(again.err, "nothing was revoked"));
  CHECK_FALSE(mentions(system.ctl({"describe", "cart"}).out, "shop/keeper ("));
}

TEST_CASE("what is revoked or granted must make sense") {
  DirectedSystem system(kShop);
  system.start();
  CHECK(system.ctl({"revoke", "cart"}).code == 2);
  CHECK(system.ctl({"grant", "cart"}).code == 2);
  CHECK(system.ctl({"revoke", "cart", "--from", "shop/nobody"}).code == 3);
  CHECK(system.ctl({"revoke", "none", "--from", "shop/keeper"}).code == 3);
  CHECK(system.ctl({"revoke", "settings", "--from", "shop/watcher"}).code == 2);
  CHECK(system.ctl({"revoke", "cart", "--from", "shop/keeper", "--to", "rw"}).code == 2);
  CHECK(system.ctl({"seal", "cart", "--enforce", "gently"}).code == 2);
  CHECK(system.ctl({"seal", "cart", "--hard", "--enforce", "kill"}).code == 2);
  REQUIRE(system.ctl({"revoke", "cart", "--from", "shop/keeper"}).code == 0);
  CHECK(system.ctl({"revoke", "cart", "--from", "shop/keeper", "--to", "r"}).code == 2);
}

TEST_CASE("a hard seal leaves the policy as it is, and is unsealed like any other") {
  DirectedSystem system(kShop);
  system.start();
  REQUIRE(system.ctl({"put", "cart", "k", "v"}).code == 0);
  REQUIRE(system.ctl({"seal", "cart", "--hard"}).code == 0);
  const auto sealed = system.ctl({"describe", "cart", "-o", "json"}).json();
  CHECK(sealed["state"] == "sealed");
  CHECK(sealed["generation"] == 2);
  CHECK(sealed["enforce"] == "cooperative");
  CHECK(system.ctl({"get", "cart", "k"}).out == "v\n");
  REQUIRE(system.ctl({"unseal", "cart"}).code == 0);
  CHECK(system.ctl({"put", "cart", "k", "w"}).code == 0);
}
