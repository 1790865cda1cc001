// sessionctl join, and forks that a suite joins.
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
[block.plan]
kind = "shared"
owner = "suite"
quota = "2MiB"
permit = ["fork"]
[script.keeper]
command = ["/bin/sleep", "1000"]
)";

}  // namespace

TEST_CASE("an operator joins a fork") {
  DirectedSystem system{std::string(kShop)};
  system.start();
  const auto put = [&](const char* block, const char* key, const char* value) {
    REQUIRE(system.ctl({"put", block, key, value}).code == 0);
  };
  put("plan", "step", "1");
  put("plan", "note", "old");
  REQUIRE(system.ctl({"fork", "plan", "trial"}).code == 0);
  put("trial", "step", "2");
  put("trial", "note", "trial's");
  put("plan", "note", "plan's");
  const auto refused = system.ctl({"join", "trial"});
  CHECK(refused.code == 6);
  CHECK(refused.err.find("1 key: 'note' (both sides changed it)") != std::string::npos);
  CHECK(system.ctl({"get", "plan", "step"}).out == "1\n");
  const auto trial = system.ctl({"join", "trial", "--trial", "-o", "json"});
  CHECK(trial.code == 6);
  CHECK(trial.json().at("taken") == 1);
  CHECK(trial.json().at("first_conflicts").at(0).at("key") == "note");
  CHECK(system.ctl({"join", "trial", "--trial"}).out.find("both sides changed it") !=
        std::string::npos);
  CHECK(system.ctl({"join", "trial", "--policy", "note"}).code == 2);
  CHECK(system.ctl({"join", "trial", "--policy", "note=best"}).code == 2);
  CHECK(system.ctl({"join", "plan"}).code == 2);
  CHECK(system.ctl({"join", "nothing"}).code == 3);
  const auto joined = system.ctl({"join", "trial", "--policy", "no*=theirs", "-o", "json"});
  CHECK(joined.code == 0);
  CHECK(joined.json().at("taken") == 2);
  CHECK(system.ctl({"get", "plan", "step"}).out == "2\n");
  CHECK(system.ctl({"get", "plan", "note"}).out == "trial's\n");
  CHECK(system.ctl({"get", "trial", "note"}).code == 3);
  CHECK(system.ctl({"fsck", "plan"}).code == 0);
  CHECK(system.ctl({"log", "what=joined"}).out.find("block trial") != std::string::npos);
  CHECK(system.ctl({"log", "verify"}).code == 0);
}

TEST_CASE("what each worker of a script did is joined when it ends") {
  DirectedSystem system{std::string(kShop) + R"([block.part]
kind = "forked"
from = "plan"
owner = "worker"
quota = "2MiB"
at_end = "join"
join = { "hits" = "add", "*" = "theirs" }
grants = { counter = "rw" }
[script.counter]
command = ["/bin/sh", "-c", "while [ ! -e stop ]; do sleep 0.05; done"]
workers = 3
restart = "never"
)"};
  system.start();
  for (const char* slot : {"shop/counter#1", "shop/counter#2", "shop/counter#3"}) {
    REQUIRE(system.ctl({"--scope", slot, "incr", "part", "hits", "5"}).code == 0);
    REQUIRE(system.ctl({"--scope", slot, "put", "part", slot, "x"}).code == 0);
  }
  REQUIRE(system.ctl({"incr", "plan", "hits", "1"}).code == 0);
  system.write_file("stop", "");
  while (system.ctl({"keys", "plan", "-o", "json"}).out.find("counter#3") == std::string::npos ||
         system.ctl({"get", "plan", "hits"}).out != "16\n") {
    std::this_thread::sleep_for(5ms);
  }
  CHECK(system.ctl({"get", "plan", "shop/counter#1"}).out == "x\n");
}
