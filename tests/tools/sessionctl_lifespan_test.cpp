// sessionctl create, describe and destroy: how blocks end and who gets them.
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "sessionctl_fixture.hpp"

using sessionctl_test::DirectedSystem;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kShop = R"(schema = 1
[suite]
name = "shop"
[block.result]
kind = "shared"
owner = "script.worker"
quota = "1MiB"
at_end = "heir"
heir = "suite"
idle = "2h"
grants = { reader = "r" }
[script.worker]
command = ["/bin/sh", "-c", "while [ ! -e stop ]; do sleep 0.05; done"]
restart = "never"
[script.reader]
command = ["/bin/sleep", "1000"]
)";

// What describe says of the block once that scope owns it.
nlohmann::json described_as_of(const DirectedSystem& system, const std::string& owner) {
  for (;;) {
    auto described = system.ctl({"-o", "json", "describe", "result"}).json();
    if (described["owner"] == owner) return described;
    std::this_thread::sleep_for(5ms);
  }
}

}  // namespace

TEST_CASE("a suite's block goes to its heir when its script has ended") {
  DirectedSystem system(kShop);
  system.start();
  REQUIRE(system.ctl({"put", "result", "k", "v"}).code == 0);
  auto described = system.ctl({"-o", "json", "describe", "result"}).json();
  const auto id = described["id"];
  CHECK(described["owner"] == "shop/worker");
  CHECK(described["at_end"] == "heir");
  CHECK(described["heir"] == "shop");
  CHECK(described["idle_ms"] == 7'200'000);
  CHECK(system.ctl({"describe", "result"}).out.find("to its heir shop") != std::string::npos);
  system.write_file("stop", "");
  described = described_as_of(system, "shop");
  CHECK(described["id"] == id);
  CHECK(described["state"] == "active");
  CHECK(described["generation"] == 1);
  CHECK_FALSE(described.contains("idle_ms"));
  CHECK(system.ctl({"--scope", "shop/reader", "get", "result", "k"}).out == "v\n");
  REQUIRE(system.ctl({"destroy", "result"}).code == 0);
  CHECK(system.ctl({"describe", "result"}).code == 3);
}

TEST_CASE("an operator creates a block that ends when nobody uses it") {
  DirectedSystem system(kShop);
  system.start();
  REQUIRE(system.ctl({"create", "brief", "--quota", "1MiB", "--idle", "100ms"}).code == 0);
  while (system.ctl({"describe", "brief"}).code != 3) std::this_thread::sleep_for(5ms);
  REQUIRE(system
              .ctl({"--scope", "shop/reader", "create", "kept", "--quota", "1MiB", "--lifespan",
                    "2h", "--idle", "1h", "--at-end", "heir", "--heir", "shop/reader#1", "--audit",
                    "writes", "--permit", "share,fork"})
              .code == 5);  // the suite permits scripts no blocks
  CHECK(system.ctl({"create", "odd", "--at-end", "heir"}).code == 2);
  CHECK(system.ctl({"create", "odd", "--at-end", "never"}).code == 2);
  CHECK(system.ctl({"create", "odd", "--idle", "soon"}).code == 2);
  REQUIRE(system
              .ctl({"create", "kept", "--quota", "1MiB", "--lifespan", "2h", "--at-end", "heir",
                    "--heir", "shop/reader", "--audit", "writes"})
              .code == 0);
  const auto described = system.ctl({"-o", "json", "describe", "kept"}).json();
  CHECK(described["heir"] == "shop/reader");
  CHECK(described["ends_in_ms"] > 7'000'000);
  CHECK(described["audit"] == "writes");
}
