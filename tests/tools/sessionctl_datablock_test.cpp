// sessionctl on DataBlocks: elevated under a director, listed without one, loaded by the next.
#include <catch2/catch.hpp>

#include "sessionctl_fixture.hpp"

using sessionctl_test::DirectedSystem;

namespace {

constexpr const char* kShop = R"(schema = 1
[suite]
name = "shop"
[block.cart]
kind = "shared"
owner = "suite"
quota = "2MiB"
permit = ["elevate"]
[block.secret]
kind = "shared"
owner = "suite"
quota = "2MiB"
permit = ["persist"]
[script.keeper]
command = ["/bin/sleep", "1000"]
)";

}  // namespace

TEST_CASE("a block that is elevated can be loaded when its system has ended") {
  DirectedSystem shop(kShop);
  shop.start();
  CHECK(shop.ctl({"datablocks", "-o", "json"}).json().empty());
  REQUIRE(shop.ctl({"put", "cart", "name", "Anna"}).code == 0);
  const auto made = shop.ctl({"elevate", "cart", "-o", "json"});
  REQUIRE(made.code == 0);
  CHECK(made.json().at("datablock") == 1);
  CHECK(made.json().at("entries") == 1);
  REQUIRE(shop.ctl({"put", "cart", "name", "Bert"}).code == 0);
  CHECK(shop.ctl({"elevate", "cart"}).out == "2\n");
  CHECK(shop.ctl({"elevate", "secret"}).code == 5);
  CHECK(shop.ctl({"elevate", "none"}).code == 3);
  shop.kill_director();
  CHECK(shop.ctl({"elevate", "cart"}).code == 4);
  const auto listed = shop.ctl({"datablocks", "-o", "json"}).json();
  REQUIRE(listed.size() == 2);
  CHECK(listed[0].at("name") == "cart");
  CHECK(listed[0].at("scope") == "shop");
  CHECK(listed[0].at("entries") == 1);
  CHECK(shop.ctl({"datablocks"}).out.find("cart") != std::string::npos);
  shop.kill_workers();
  shop.start();  // another system, by the same name
  CHECK(shop.ctl({"get", "cart", "name"}).code == 3);
  REQUIRE(shop.ctl({"load", "1", "--as", "first"}).code == 0);
  CHECK(shop.ctl({"get", "first", "name"}).out == "Anna\n");
  REQUIRE(shop.ctl({"load", "cart", "--as", "last", "--owner", "shop/keeper"}).code == 0);
  CHECK(shop.ctl({"get", "last", "name"}).out == "Bert\n");
  CHECK(shop.ctl({"load", "cart", "--as", "last"}).code == 1);
  CHECK(shop.ctl({"load", "cart", "--as", "other", "--owner", "shop/none"}).code == 3);
  CHECK(shop.ctl({"load", "3", "--as", "other"}).code == 3);
}
