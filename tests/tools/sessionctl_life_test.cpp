// A block that outlives its suite: elevated at its end, loaded when the suite starts again.
#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <stdexcept>

#include "sessionctl_fixture.hpp"

using sessionctl_test::DirectedSystem;

namespace {

constexpr const char* kShop = R"(schema = 1
[suite]
name = "shop"
[block.progress]
kind = "shared"
owner = "suite"
quota = "2MiB"
permit = ["elevate"]
at_start = "load"
at_end = "elevate"
[block.draft]
owner = "worker"
quota = "1MiB"
permit = ["elevate"]
at_start = "load"
at_end = "elevate"
[script.keeper]
command = ["/bin/sleep", "1000"]
workers = 2
)";

struct Shop : DirectedSystem {
  Shop() : DirectedSystem(kShop) { start(); }

  [[nodiscard]] nlohmann::json datablocks() const {
    return ctl({"datablocks", "-o", "json"}).json();
  }
  // Of those of that name, the oldest first.
  [[nodiscard]] std::vector<std::uint64_t> entries_of(const std::string& name) const {
    std::vector<std::uint64_t> entries;
    for (const auto& one : datablocks()) {
      if (one.at("name") == name) entries.push_back(one.at("entries").get<std::uint64_t>());
    }
    return entries;
  }
  [[nodiscard]] std::string get(const std::string& key) const {
    return ctl({"get", "progress", key}).out;
  }
  void put(const std::string& key, const std::string& value) const {
    REQUIRE(ctl({"put", "progress", key, value}).code == 0);
  }
  [[nodiscard]] std::uint64_t id() const {
    return ctl({"describe", "progress", "-o", "json"}).json().at("id").get<std::uint64_t>();
  }
  [[nodiscard]] std::string state_file() const {
    return (runtime() / "state/datablocks.sqlite").native();
  }
  // As somebody with the shell would.
  void sql(const char* statement) const {
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open(state_file().c_str(), &database) == SQLITE_OK);
    CHECK(sqlite3_exec(database, statement, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(database);
  }
  // What the director says that cannot begin.
  std::string refusal() {
    std::string said;
    try {
      start();
    } catch (const std::runtime_error& error) {
      said = error.what();
    }
    REQUIRE_FALSE(said.empty());
    CHECK(wait() == 1);
    CHECK(segments().empty());
    return said;
  }
};

}  // namespace

TEST_CASE("a suite's own block comes back with what it held when the suite is started again") {
  Shop shop;
  CHECK(shop.datablocks().empty());  // the first time there is nothing to begin with
  shop.put("step", "one");
  shop.put("rest", "some");
  CHECK(shop.stop_director() == 0);
  CHECK(shop.segments().empty());
  REQUIRE(shop.entries_of("progress") == std::vector<std::uint64_t>{2});
  shop.start();
  CHECK(shop.get("step") == "one\n");
  CHECK(shop.get("rest") == "some\n");
  shop.put("step", "two");
  CHECK(shop.stop_director() == 0);
  CHECK(shop.entries_of("progress") == std::vector<std::uint64_t>{2, 2});
  shop.start();
  CHECK(shop.get("step") == "two\n");
  REQUIRE(shop.ctl({"erase", "progress", "rest"}).code == 0);
  CHECK(shop.stop_director() == 0);
  shop.start();
  CHECK(shop.ctl({"get", "progress", "rest"}).code == 3);
  CHECK(shop.entries_of("progress") == std::vector<std::uint64_t>{2, 2, 1});
  shop.stop_director();
}

TEST_CASE("a block that is as it was kept is not kept a second time") {
  Shop shop;
  shop.put("step", "one");
  REQUIRE(shop.ctl({"put", "progress", "later", "x", "--ttl", "1000h"}).code == 0);
  shop.stop_director();
  for (int times = 0; times < 3; ++times) {
    shop.start();
    shop.stop_director();
  }
  CHECK(shop.entries_of("progress") == std::vector<std::uint64_t>{2});
  shop.start();
  REQUIRE(shop.ctl({"elevate", "progress"}).code == 0);  // who asks gets a new one
  REQUIRE(shop.ctl({"put", "progress", "later", "x", "--ttl", "2000h"}).code == 0);
  shop.stop_director();
  CHECK(shop.entries_of("progress") == std::vector<std::uint64_t>{2, 2, 2});
}

TEST_CASE("each worker slot's own block comes back to that slot") {
  Shop shop;
  const auto put = [&](const std::string& slot, const std::string& value) {
    REQUIRE(shop.ctl({"--scope", "shop/keeper#" + slot, "put", "draft", "of", value}).code == 0);
  };
  put("1", "first");
  put("2", "second");
  shop.stop_director();
  shop.start();
  CHECK(shop.ctl({"--scope", "shop/keeper#1", "get", "draft", "of"}).out == "first\n");
  CHECK(shop.ctl({"--scope", "shop/keeper#2", "get", "draft", "of"}).out == "second\n");
}

TEST_CASE("a director that is killed elevates nothing, and the next one loads nothing") {
  Shop shop;
  shop.put("step", "one");
  shop.stop_director();
  shop.start();
  shop.put("step", "two");
  const auto id = shop.id();
  shop.kill_director();
  CHECK(shop.entries_of("progress") == std::vector<std::uint64_t>{1});
  SECTION("its workers live: it is the same block") {
    shop.start();
    CHECK(shop.id() == id);
    CHECK(shop.get("step") == "two\n");
    CHECK(shop.entries_of("progress") == std::vector<std::uint64_t>{1});
  }
  SECTION("its workers are dead: the block ends, is kept, and comes back as a new one") {
    shop.kill_workers();
    const auto systems = DirectedSystem::plain_ctl({"clean", "-n", "-o", "json"}).json()["systems"];
    for (const auto& system : systems) {
      if (system.at("system") != shop.name()) continue;
      CHECK(system.at("result") == "kept");
      CHECK(system.at("why").get<std::string>().find("is to be kept: start") != std::string::npos);
    }
    // A process that the director was about to start ends by itself, a moment later.
    const auto is_dead = [&] {
      return shop.ctl({"clean", "-n", "-o", "json"}).json()["systems"][0]["result"] == "dead";
    };
    while (!is_dead()) ::sched_yield();
    shop.start();
    CHECK(shop.get("step") == "two\n");
    CHECK(shop.entries_of("progress") == std::vector<std::uint64_t>{1, 1});
    shop.kill_director();
    shop.kill_workers();
    shop.start();
    CHECK(shop.get("step") == "two\n");
  }
  shop.stop_director();
  CHECK(shop.entries_of("progress").size() <= 2);
}

TEST_CASE("a damaged DataBlock lets no suite begin, and what to do about it is said") {
  Shop shop;
  shop.put("step", "one");
  shop.stop_director();
  shop.start();
  shop.put("step", "two");
  shop.stop_director();
  const auto last = shop.datablocks().back();
  for (const auto& one : shop.datablocks()) {
    if (one.at("name") == "draft") continue;
    REQUIRE(one.at("entries") == 1);
  }
  shop.sql(
      "UPDATE entry SET type = 'integer' WHERE datablock = "
      "(SELECT max(id) FROM datablock WHERE name = 'progress');");
  std::string number;
  for (const auto& one : shop.datablocks()) {
    if (one.at("name") == "progress") number = std::to_string(one.at("datablock").get<int>());
  }
  const std::string remedy = "sessionctl datablocks delete progress@" + number;
  const auto before = shop.datablocks();
  for (int times = 0; times < 2; ++times) {
    const std::string said = shop.refusal();
    INFO(said);
    CHECK(said.find("key \"step\"") != std::string::npos);
    CHECK(said.find(remedy) != std::string::npos);
    CHECK(shop.datablocks() == before);  // what had begun is not kept once more
  }
  REQUIRE(shop.ctl({"datablocks", "delete", "progress@" + number}).code == 0);
  shop.start();
  CHECK(shop.get("step") == "one\n");
  shop.stop_director();
  std::filesystem::resize_file(shop.state_file(), 100);
  CHECK(shop.refusal().find("without at_start in the suite file") != std::string::npos);
  std::filesystem::remove(shop.state_file());
  shop.start();
  CHECK(shop.ctl({"get", "progress", "step"}).code == 3);
}

TEST_CASE("a DataBlock that does not fit the quota says so, and one that has expired is empty") {
  Shop shop;
  for (int i = 0; i < 12; ++i) shop.put("step" + std::to_string(i), std::string(100'000, 'x'));
  shop.stop_director();
  std::string suite(kShop);
  suite.replace(suite.find("2MiB"), 4, "1MiB");
  shop.write_file("suite.toml", suite);
  CHECK(shop.refusal().find("raise the block's quota in the suite file") != std::string::npos);
  shop.sql("UPDATE entry SET expires_unix_ms = 1");
  shop.start();
  CHECK(shop.ctl({"keys", "progress"}).out.empty());
}
