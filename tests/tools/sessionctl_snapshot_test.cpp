// sessionctl on snapshots: taken while workers run, read with and without a director, restored.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

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
permit = ["persist"]
[block.prices]
kind = "shared"
owner = "suite"
quota = "2MiB"
permit = ["persist"]
[block.secret]
kind = "shared"
owner = "suite"
quota = "2MiB"
[script.keeper]
command = ["/bin/sleep", "1000"]
)";

struct Shop : DirectedSystem {
  Shop() : DirectedSystem(kShop) {
    start();
    REQUIRE(ctl({"put", "cart", "name", "Anna"}).code == 0);
    REQUIRE(ctl({"put", "cart", "count", "7", "--type", "integer"}).code == 0);
    REQUIRE(ctl({"put", "prices", "apple", "0.5", "--type", "real"}).code == 0);
  }
  [[nodiscard]] std::string file(const std::string& name) const {
    return (folder() / name).native();
  }
};

}  // namespace

TEST_CASE("a snapshot is read like a block, with a director and without one") {
  Shop shop;
  const auto made = shop.ctl({"snapshot", "create", "cart", "monday", "-o", "json"});
  REQUIRE(made.code == 0);
  CHECK(made.json().at("entries") == 2);
  CHECK(made.json().at("exact") == true);
  CHECK(made.json().at("file") == (shop.runtime() / "state/snapshots/monday.sbsnap").native());
  REQUIRE(shop.ctl({"put", "cart", "name", "Bert"}).code == 0);
  REQUIRE(shop.ctl({"erase", "cart", "count"}).code == 0);
  REQUIRE(shop.ctl({"put", "cart", "new", "x"}).code == 0);
  const auto check = [&] {
    CHECK(shop.ctl({"get", "cart", "name", "--snapshot", "monday"}).out == "Anna\n");
    CHECK(shop.ctl({"get", "cart", "new", "--snapshot", "monday"}).code == 3);
    CHECK(shop.ctl({"get", "prices", "apple", "--snapshot", "monday"}).code == 3);
    CHECK(shop.ctl({"keys", "cart", "--snapshot", "monday"}).out == "count\nname\n");
    const auto rows = shop.ctl({"dump", "cart", "--snapshot", "monday", "-o", "json"}).json();
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].at("value") == 7);
    CHECK(rows[0].at("type") == "integer");
    const auto info = shop.ctl({"snapshot", "info", "monday", "-o", "json"}).json();
    CHECK(info.at("exact") == true);
    CHECK(info.at("damage").empty());
    CHECK(info.at("blocks")[0].at("name") == "cart");
    CHECK(info.at("blocks")[0].at("owner") == "shop");
    CHECK(info.at("blocks")[0].at("permits")[0] == "persist");
    CHECK(info.at("blocks")[0].at("key") == "there");
    CHECK(shop.ctl({"snapshot", "info", "monday"}).out.find("cart") != std::string::npos);
  };
  check();
  const auto diff = shop.ctl({"diff", "cart", "--snapshot", "monday", "-o", "json"}).json();
  REQUIRE(diff.size() == 3);
  CHECK(diff[0].at("change") == "removed");
  CHECK(diff[1].at("change") == "changed");
  CHECK(diff[2].at("change") == "added");
  REQUIRE(shop.ctl({"snapshot", "create", "cart", "tuesday"}).code == 0);
  CHECK(shop.ctl({"diff", "cart", "--snapshot", "monday", "--to-snapshot", "tuesday", "-o", "json"})
            .json() == diff);
  CHECK(shop.ctl({"diff", "cart", "--snapshot", "monday", "--to-snapshot", "monday", "-o", "json"})
            .json()
            .empty());
  CHECK(shop.ctl({"diff", "cart"}).code == 2);
  shop.kill_director();
  check();
}

TEST_CASE("a snapshot of a suite or a scope has what permits it, and says what it left out") {
  Shop shop;
  const std::string all = shop.file("all");
  const auto made = shop.ctl({"snapshot", "create", "--suite", all, "-o", "json"});
  REQUIRE(made.code == 0);
  CHECK(made.json().at("blocks") == 2);
  CHECK(made.json().at("entries") == 3);
  REQUIRE(made.json().at("left_out").size() == 1);
  CHECK(made.err.find("secret") != std::string::npos);
  CHECK(std::filesystem::exists(all));
  CHECK(shop.ctl({"get", "prices", "apple", "--snapshot", all}).out == "0.5\n");
  CHECK(shop.ctl({"--scope", "shop", "snapshot", "create", shop.file("scope")}).code == 0);
  CHECK(shop.ctl({"--scope", "shop/none", "snapshot", "create", shop.file("none")}).code == 3);
  CHECK(shop.ctl({"--scope", "shop/keeper", "snapshot", "create", shop.file("none")}).code == 3);
  CHECK(shop.ctl({"snapshot", "create", shop.file("none")}).code == 2);
  CHECK(shop.ctl({"snapshot", "create", "secret", shop.file("none")}).code == 5);
  CHECK_FALSE(std::filesystem::exists(shop.file("none")));
  // Never over what is there.
  CHECK(shop.ctl({"snapshot", "create", "cart", all}).code == 1);
  CHECK(shop.ctl({"snapshot", "create", "cart", "two words"}).code == 2);
  CHECK(shop.ctl({"snapshot", "create", "cart", "/proc/none"}).code != 0);
}

TEST_CASE("a restored block has what the snapshot holds, and belongs to the scope that is named") {
  Shop shop;
  REQUIRE(shop.ctl({"put", "cart", "soon", "x", "--ttl", "1h"}).code == 0);
  REQUIRE(shop.ctl({"snapshot", "create", "--suite", "all"}).code == 0);
  REQUIRE(shop.ctl({"erase", "cart", "name"}).code == 0);
  CHECK(shop.ctl({"snapshot", "restore", "all", "--as", "again"}).code == 2);  // which block?
  REQUIRE(shop.ctl({"snapshot", "restore", "all", "cart", "--as", "again"}).code == 0);
  CHECK(shop.ctl({"get", "again", "name"}).out == "Anna\n");
  CHECK(shop.ctl({"get", "again", "count"}).out == "7\n");
  const auto soon = shop.ctl({"get", "again", "soon", "-o", "json"}).json();
  CHECK(soon.at("expires_in_ms") <= 3'600'000);
  CHECK(soon.at("expires_in_ms") > 3'000'000);
  CHECK(shop.ctl({"diff", "again", "--snapshot", "all"}).code == 3);
  CHECK(shop.ctl({"snapshot", "restore", "all", "cart", "--as", "again"}).code == 1);
  CHECK(shop.ctl({"snapshot", "restore", "all", "cart", "--as", "b", "--owner", "shop/x"}).code ==
        3);
  REQUIRE(shop.ctl({"snapshot", "restore", "all", "cart", "--as", "b", "--owner", "shop/keeper"})
              .code == 0);
  CHECK(shop.ctl({"describe", "b", "-o", "json"}).json().at("owner") == "shop/keeper");
  CHECK(shop.ctl({"snapshot", "restore", "none", "cart", "--as", "c"}).code == 3);
}

TEST_CASE("a wiped block's snapshots cannot be read, and other blocks' can") {
  Shop shop;
  const std::string all = shop.file("all");
  REQUIRE(shop.ctl({"snapshot", "create", "--suite", all}).code == 0);
  REQUIRE(shop.ctl({"wipe", "cart"}).code == 0);
  CHECK(shop.ctl({"get", "cart", "name", "--snapshot", all}).code == 3);
  CHECK(shop.ctl({"dump", "cart", "--snapshot", all}).out.empty());
  CHECK(shop.ctl({"snapshot", "restore", all, "cart", "--as", "again"}).code == 3);
  CHECK(shop.ctl({"get", "prices", "apple", "--snapshot", all}).out == "0.5\n");
  const auto info = shop.ctl({"snapshot", "info", all, "-o", "json"}).json();
  CHECK(info.at("blocks")[0].at("key") == "wiped");
  CHECK(info.at("blocks")[1].at("key") == "there");
}

TEST_CASE("a damaged snapshot says what is damaged, and gives the rest") {
  Shop shop;
  const std::string all = shop.file("all");
  REQUIRE(shop.ctl({"snapshot", "create", "--suite", all}).code == 0);
  std::string contents = shop.read_file("all");
  shop.write_file("cut", contents.substr(0, contents.size() - 40));
  const auto cut = shop.ctl({"get", "cart", "name", "--snapshot", shop.file("cut")});
  CHECK(cut.code == 6);
  CHECK(cut.out == "Anna\n");
  CHECK(cut.err.find("the file ends in it") != std::string::npos);
  // The frame of cart's entries is the third.
  auto frame = contents.find("SBS1", contents.find("SBS1", 1) + 1);
  contents[frame + 80] = static_cast<char>(contents[frame + 80] ^ 1);
  shop.write_file("spoilt", contents);
  const auto spoilt = shop.ctl({"dump", "cart", "--snapshot", shop.file("spoilt")});
  CHECK(spoilt.code == 6);
  CHECK(spoilt.err.find("frame 2 ") != std::string::npos);
  CHECK(spoilt.err.find("block cart") != std::string::npos);
  CHECK(shop.ctl({"get", "prices", "apple", "--snapshot", shop.file("spoilt")}).out == "0.5\n");
  CHECK(shop.ctl({"snapshot", "info", shop.file("spoilt")}).code == 6);
  CHECK(shop.ctl({"snapshot", "restore", shop.file("spoilt"), "cart", "--as", "r"}).code == 6);
  CHECK(shop.ctl({"keys", "r"}).code == 3);
  CHECK(shop.ctl({"snapshot", "restore", shop.file("spoilt"), "cart", "--as", "r", "--damaged"})
            .code == 6);
  CHECK(shop.ctl({"keys", "r"}).code == 0);
  CHECK(shop.ctl({"get", "cart", "name", "--snapshot", shop.suite_file()}).code == 1);
}
