// sessionctl on checkpoints: as an operator, with a director at work.
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
[script.keeper]
command = ["/bin/sleep", "1000"]
)";

}  // namespace

TEST_CASE("an operator keeps an instant of a block, reads at it and compares it") {
  DirectedSystem system(kShop);
  system.start();
  REQUIRE(system.ctl({"put", "cart", "name", "Anna"}).code == 0);
  REQUIRE(system.ctl({"put", "cart", "count", "1", "--type", "integer"}).code == 0);
  const auto taken = system.ctl({"checkpoint", "cart", "monday", "-o", "json"}).json();
  CHECK(taken.at("name") == "monday");
  CHECK(taken.at("instant") > 0);
  CHECK(system.ctl({"checkpoint", "cart", "quiet"}).out.empty());
  REQUIRE(system.ctl({"incr", "cart", "count"}).code == 0);
  REQUIRE(system.ctl({"erase", "cart", "name"}).code == 0);
  REQUIRE(system.ctl({"put", "cart", "new", "x"}).code == 0);

  CHECK(system.ctl({"get", "cart", "name", "--at", "monday"}).out == "Anna\n");
  CHECK(system.ctl({"get", "cart", "count", "--at", "monday"}).out == "1\n");
  CHECK(system.ctl({"get", "cart", "new", "--at", "monday"}).code == 3);
  CHECK(system.ctl({"keys", "cart", "--at", "monday"}).out == "count\nname\n");
  CHECK(system.ctl({"dump", "cart", "--at", "monday", "-o", "json"}).json().size() == 2);
  CHECK(system.ctl({"get", "cart", "count"}).out == "2\n");

  const auto rows = system.ctl({"checkpoints", "cart", "-o", "json"}).json();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].at("name") == "monday");
  CHECK(rows[0].at("age_ms") < 3'600'000);
  CHECK(rows[0].at("held_bytes") > 0);
  CHECK(system.ctl({"checkpoints", "cart"}).out.find("monday") != std::string::npos);

  const auto diff = system.ctl({"diff", "cart", "monday", "-o", "json"}).json();
  REQUIRE(diff.size() == 3);
  CHECK(diff[0].at("key") == "count");
  CHECK(diff[0].at("change") == "changed");
  CHECK(diff[0].at("version") < diff[0].at("new_version"));
  CHECK(diff[1].at("change") == "removed");
  CHECK(!diff[1].contains("new_version"));
  CHECK(diff[2].at("change") == "added");
  CHECK(system.ctl({"diff", "cart", "monday", "quiet", "-o", "json"}).json().empty());
  CHECK(system.ctl({"diff", "cart", "monday"}).out.find("removed") != std::string::npos);

  REQUIRE(system.ctl({"checkpoint", "cart", "monday", "--release"}).code == 0);
  CHECK(system.ctl({"get", "cart", "name", "--at", "monday"}).code == 3);
  CHECK(system.ctl({"diff", "cart", "monday"}).code == 3);
  CHECK(system.ctl({"checkpoint", "cart", "monday", "--release"}).code == 3);
}

TEST_CASE("a checkpoint that cannot be is refused, and outlives the director") {
  DirectedSystem system(kShop);
  system.start();
  REQUIRE(system.ctl({"put", "cart", "k", "old"}).code == 0);
  CHECK(system.ctl({"checkpoint", "cart", "two words"}).code == 2);
  CHECK(system.ctl({"checkpoint", "none", "name"}).code == 3);
  CHECK(system.ctl({"checkpoint", "cart"}).code == 2);
  CHECK(system.ctl({"diff", "cart"}).code == 2);
  REQUIRE(system.ctl({"checkpoint", "cart", "kept"}).code == 0);
  CHECK(system.ctl({"checkpoint", "cart", "kept"}).code == 1);
  REQUIRE(system.ctl({"put", "cart", "k", "new"}).code == 0);
  system.kill_director();
  CHECK(system.ctl({"checkpoints", "cart"}).code == 4);
  CHECK(system.ctl({"get", "cart", "k", "--at", "kept"}).code == 4);
  CHECK(system.ctl({"get", "cart", "k"}).out == "new\n");
  system.start();
  CHECK(system.ctl({"get", "cart", "k", "--at", "kept"}).out == "old\n");
}

TEST_CASE("an operator rolls a block back, and forks it") {
  DirectedSystem system(std::string(kShop) + R"([block.plan]
kind = "shared"
owner = "suite"
quota = "2MiB"
permit = ["fork"]
)");
  system.start();
  REQUIRE(system.ctl({"put", "cart", "name", "Anna"}).code == 0);
  REQUIRE(system.ctl({"checkpoint", "cart", "monday"}).code == 0);
  REQUIRE(system.ctl({"put", "cart", "name", "Berta"}).code == 0);
  REQUIRE(system.ctl({"put", "cart", "new", "x"}).code == 0);
  CHECK(system.ctl({"rollback", "cart", "monday"}).out.empty());
  CHECK(system.ctl({"get", "cart", "name"}).out == "Anna\n");
  CHECK(system.ctl({"get", "cart", "new"}).code == 3);
  CHECK(system.ctl({"rollback", "cart", "tuesday"}).code == 3);
  CHECK(system.ctl({"rollback", "cart"}).code == 2);
  CHECK(system.ctl({"fsck", "cart"}).code == 0);

  REQUIRE(system.ctl({"put", "plan", "step", "1"}).code == 0);
  const auto made = system.ctl({"fork", "plan", "-o", "json"}).json();
  CHECK(made.at("name") == "plan-fork-1");
  CHECK(system.ctl({"fork", "plan", "trial"}).out.find("trial") != std::string::npos);
  REQUIRE(system.ctl({"put", "plan-fork-1", "step", "2"}).code == 0);
  CHECK(system.ctl({"get", "plan", "step"}).out == "1\n");
  CHECK(system.ctl({"get", "trial", "step"}).out == "1\n");
  CHECK(system.ctl({"diff", "plan-fork-1", "base", "-o", "json"}).json().size() == 1);
  CHECK(system.ctl({"fork", "plan", "trial"}).code == 1);
  CHECK(system.ctl({"fork", "cart"}).code == 5);
  CHECK(system.ctl({"destroy", "trial"}).code == 0);
  CHECK(system.ctl({"checkpoints", "plan", "-o", "json"}).json().size() == 1);
  // The log has every entry of a fork, and of what was changed back.
  CHECK(system.ctl({"log", "what=forked"}).out.find("block plan") != std::string::npos);
  CHECK(system.ctl({"log", "what=rolled-back"}).out.find("block cart") != std::string::npos);
  CHECK(system.ctl({"log", "verify"}).code == 0);
}

TEST_CASE("a fork has the policies of its origin, for the next director too") {
  DirectedSystem system(std::string(kShop) + R"([block.plan]
kind = "shared"
owner = "suite"
quota = "2MiB"
permit = ["fork"]
audit = "writes"
on_full_ring = "count"
enforce = "kill"
at_limit = "evict-lru"
)");
  system.start();
  REQUIRE(system.ctl({"fork", "plan", "trial"}).code == 0);
  const auto check = [&](const std::string& block) {
    const auto told = system.ctl({"describe", block, "-o", "json"}).json();
    CAPTURE(told.dump());
    CHECK(told.at("audit") == "writes");
    CHECK(told.at("on_full_ring") == "count");
    CHECK(told.at("enforce") == "kill");
    CHECK(told.at("at_limit") == "evict-lru");
    CHECK(told.at("quota_bytes") == 2U << 20U);
  };
  check("plan");
  check("trial");
  system.kill_director();
  system.start();
  check("plan");
  check("trial");
}

TEST_CASE("each worker slot gets a fork of its own where the suite says so") {
  DirectedSystem system(R"(schema = 1
[suite]
name = "shop"
[block.plan]
kind = "shared"
owner = "suite"
quota = "2MiB"
permit = ["fork"]
[block.trial]
kind = "forked"
from = "plan"
owner = "worker"
quota = "2MiB"
grants = { keeper = "rw" }
[script.keeper]
command = ["/bin/sleep", "1000"]
workers = 2
)");
  system.start();
  const auto rows = system.ctl({"ls", "blocks", "-o", "json"}).json().at("blocks");
  int forks = 0;
  for (const auto& row : rows) forks += row.at("kind") == "forked" ? 1 : 0;
  CHECK(forks == 2);
  CHECK(system.ctl({"checkpoints", "plan", "-o", "json"}).json().size() == 2);
}
