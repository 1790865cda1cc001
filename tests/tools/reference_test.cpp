// sessionctl share and redeem.
#include <catch2/catch.hpp>

#include "sessionctl_fixture.hpp"

using sessionctl_test::DirectedSystem;
using sessionctl_test::Outcome;

namespace {

constexpr const char* kShop = R"(schema = 1
[suite]
name = "shop"
[block.cart]
kind = "shared"
owner = "suite"
quota = "1MiB"
grants = { keeper = "r" }
permit = ["share"]
[block.own]
kind = "shared"
owner = "suite"
quota = "1MiB"
grants = { keeper = "r" }
[script.keeper]
command = ["/bin/sleep", "1000"]
[script.mail]
command = ["/bin/sleep", "1000"]
)";

std::string reference_of(const Outcome& shared) {
  INFO(shared.err);
  REQUIRE(shared.code == 0);
  REQUIRE(shared.out.substr(0, 7) == "sbref1.");
  REQUIRE(shared.out.back() == '\n');
  return shared.out.substr(0, shared.out.size() - 1);
}

}  // namespace

TEST_CASE("an operator shares a block, and sees what a reference is for without using it up") {
  DirectedSystem system(kShop);
  system.start();
  const auto reference =
      reference_of(system.ctl({"share", "cart", "--rights", "r", "--audience", "shop/mail",
                               "--lifetime", "10m", "--single-use"}));
  for (int times = 0; times < 2; ++times) {
    const auto seen = system.ctl({"redeem", reference, "-o", "json"});
    CHECK(seen.code == 0);
    const auto object = seen.json();
    CHECK(object.at("state") == "redeemable");
    CHECK(object.at("block") == "cart");
    CHECK(object.at("rights") == "r");
    CHECK(object.at("issuer") == "shop");
    CHECK(object.at("audience") == "shop/mail");
    CHECK(object.at("single_use") == true);
    CHECK(object.at("expires_in_ms") > 0);
    CHECK(object.at("expires_in_ms") <= 600'000);
  }
  const auto table = system.ctl({"redeem", "-"}, reference + "\n");
  CHECK(table.code == 0);
  CHECK(table.out.find("redeemable") != std::string::npos);
  CHECK(table.out.find(reference) == std::string::npos);
}

TEST_CASE("sessionctl share says as JSON what it has shared, for any scope too") {
  DirectedSystem system(kShop);
  system.start();
  const auto shared =
      system.ctl({"share", "cart", "--rights", "rw", "--audience", "*", "-o", "json"});
  REQUIRE(shared.code == 0);
  CHECK(shared.json().at("block") == "cart");
  CHECK(shared.json().at("rights") == "rw");
  CHECK(shared.json().at("expires_in_ms") == 60'000);
  const auto reference = shared.json().at("reference").get<std::string>();
  CHECK(system.ctl({"redeem", reference, "-o", "json"}).json().at("audience") == "*");
}

TEST_CASE("sessionctl names why a block is not shared and why a reference does not count") {
  DirectedSystem system(kShop);
  system.start();
  const auto refuses = [&](const Outcome& outcome, int code, const std::string& what) {
    INFO(outcome.out << outcome.err);
    CHECK(outcome.code == code);
    CHECK(outcome.err.find(what) != std::string::npos);
  };
  refuses(system.ctl({"share", "own", "--audience", "*"}), 5, "permit");
  refuses(system.ctl({"share", "cart", "--audience", "shop/absent"}), 3, "no_such_scope");
  refuses(system.ctl({"share", "cart", "--audience", "*", "--lifetime", "2d"}), 2, "24 h");
  refuses(system.ctl({"share", "cart"}), 2, "--audience");
  refuses(system.ctl({"share", "cart", "--audience", "*", "--rights", "w"}), 2, "--rights");
  refuses(
      system.ctl({"--scope", "shop/keeper", "share", "cart", "--audience", "*", "--rights", "rw"}),
      5, "read_only");
  refuses(system.ctl({"redeem", "sbref1.AAAA"}), 5, "reference_forged");
  const auto reference =
      reference_of(system.ctl({"--scope", "shop/keeper", "share", "cart", "--audience", "*"}));
  CHECK(system.ctl({"redeem", reference}).code == 0);
  REQUIRE(system.ctl({"redeem", reference, "-o", "json"}).json().at("issuer") == "shop/keeper");
}
