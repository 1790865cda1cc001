// sessionctl snapshot list, snapshot delete, datablocks delete: with a director and without one.
#include <sched.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "sessionctl_fixture.hpp"
#include "snapshot/keys.hpp"
#include "snapshot/reader.hpp"

using sessionctl_test::DirectedSystem;

namespace {

namespace fs = std::filesystem;

constexpr const char* kShop = R"(schema = 1
[suite]
name = "shop"
[block.cart]
kind = "shared"
owner = "suite"
quota = "2MiB"
permit = ["persist", "elevate"]
[block.prices]
kind = "shared"
owner = "suite"
quota = "2MiB"
permit = ["persist", "elevate"]
[script.keeper]
command = ["/bin/sleep", "1000"]
)";

struct Shop : DirectedSystem {
  explicit Shop(const char* suite = kShop) : DirectedSystem(suite) {
    start();
    REQUIRE(ctl({"put", "cart", "name", "Anna"}).code == 0);
    REQUIRE(ctl({"put", "prices", "apple", "3"}).code == 0);
    REQUIRE(ctl({"put", "prices", "pear", "4"}).code == 0);
  }
  [[nodiscard]] nlohmann::json list() const {
    return ctl({"snapshot", "list", "-o", "json"}).json();
  }
  [[nodiscard]] int remove(const std::string& name) const {
    return ctl({"snapshot", "delete", name}).code;
  }
  [[nodiscard]] fs::path state() const { return runtime() / "state"; }
  [[nodiscard]] std::uintmax_t key_bytes() const { return fs::file_size(state() / "keys"); }
  // Whether a file of these blocks could still be read.
  [[nodiscard]] bool has_key(const fs::path& snapshot) const {
    const auto file = sessionblocks::snapshot::Reader::open(snapshot.native());
    REQUIRE(file);
    const sessionblocks::snapshot::KeyFile keys((state() / "keys").native());
    return keys.find(file->blocks().front().description.key).has_value();
  }
  void copy(const std::string& name) const {
    fs::copy_file(state() / "snapshots" / (name + ".sbsnap"), folder() / name);
  }
};

}  // namespace

TEST_CASE("the snapshots of a system are listed, with what they are of") {
  Shop shop;
  CHECK(shop.list().empty());
  REQUIRE(shop.ctl({"snapshot", "create", "cart", "monday"}).code == 0);
  REQUIRE(shop.ctl({"snapshot", "create", "--suite", "all"}).code == 0);
  const auto check = [&] {
    const auto rows = shop.list();
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].at("name") == "all");
    CHECK(rows[0].at("of") == "scope shop");
    CHECK(rows[0].at("blocks") == 2);
    CHECK(rows[0].at("entries") == 3);
    CHECK(rows[0].at("keys") == 2);
    CHECK(rows[1].at("name") == "monday");
    CHECK(rows[1].at("of") == "cart");
    CHECK(rows[1].at("entries") == 1);
    CHECK(rows[1].at("bytes") == fs::file_size(shop.state() / "snapshots/monday.sbsnap"));
    const auto table = shop.ctl({"snapshot", "list"}).out;
    CHECK(table.find("monday") != std::string::npos);
    CHECK(table.find("there") != std::string::npos);
  };
  check();
  shop.kill_director();
  check();
  shop.start();
  REQUIRE(shop.ctl({"wipe", "cart"}).code == 0);
  const auto wiped = shop.list();
  CHECK(wiped[0].at("keys") == 1);
  CHECK(wiped[0].at("entries").is_null());
  CHECK(wiped[1].at("keys") == 0);
  CHECK(shop.ctl({"snapshot", "list"}).out.find("gone") != std::string::npos);
  std::ofstream(shop.state() / "snapshots/letter.sbsnap") << "no snapshot";
  const auto odd = shop.ctl({"snapshot", "list", "-o", "json"});
  CHECK(odd.code == 6);
  CHECK(odd.json().size() == 3);
  CHECK(odd.json()[1].at("problem").get<std::string>().find("malformed") != std::string::npos);
  CHECK(shop.remove("letter") == 0);
  CHECK(shop.list().size() == 2);
}

TEST_CASE("a key goes with the last snapshot that needs it") {
  Shop shop;
  const bool has_director = GENERATE(true, false);
  REQUIRE(shop.ctl({"snapshot", "create", "cart", "monday"}).code == 0);
  REQUIRE(shop.ctl({"snapshot", "create", "--suite", "tuesday"}).code == 0);
  shop.copy("monday");
  shop.copy("tuesday");
  if (!has_director) shop.stop_director();
  CHECK(shop.remove("wednesday") == 3);
  CHECK(shop.remove("../keys") == 2);
  CHECK(shop.remove(shop.folder() / "monday") == 2);
  CHECK(shop.remove("") == 2);
  CHECK(shop.ctl({"snapshot", "delete"}).code == 2);
  REQUIRE(shop.remove("monday") == 0);
  CHECK(shop.list().size() == 1);
  CHECK(shop.has_key(shop.folder() / "monday"));  // tuesday's
  const auto last = shop.ctl({"snapshot", "delete", "tuesday", "-o", "json"});
  REQUIRE(last.code == 0);
  CHECK(last.json().at("keys_deleted") == 2);
  CHECK(last.json().at("keys_kept") == 0);
  CHECK_FALSE(shop.has_key(shop.folder() / "monday"));
  CHECK_FALSE(shop.has_key(shop.folder() / "tuesday"));
  CHECK(shop.list().empty());
  CHECK(shop.ctl({"get", "cart", "name", "--snapshot", shop.folder() / "monday"}).code == 5);
  const auto bytes = shop.key_bytes();
  if (!has_director) {
    CHECK_FALSE(fs::exists(shop.runtime() / "lock"));
    shop.start();
  }
  // The records are used again, so that the file does not grow for ever.
  for (int times = 0; times < 5; ++times) {
    REQUIRE(shop.ctl({"snapshot", "create", "--suite", "all"}).code == 0);
    CHECK(shop.ctl({"dump", "prices", "--snapshot", "all"}).code == 0);
    REQUIRE(shop.remove("all") == 0);
  }
  CHECK(shop.key_bytes() == bytes);
}

TEST_CASE("a key stays where somebody may still need it") {
  Shop shop;
  REQUIRE(shop.ctl({"snapshot", "create", "cart", "monday"}).code == 0);
  const std::string elsewhere = shop.folder() / "elsewhere";
  SECTION("a snapshot was written elsewhere") {
    REQUIRE(shop.ctl({"snapshot", "create", "cart", elsewhere}).code == 0);
    REQUIRE(shop.remove("monday") == 0);
    CHECK(shop.ctl({"get", "cart", "name", "--snapshot", elsewhere}).out == "Anna\n");
  }
  SECTION("it is asked for") {
    shop.copy("monday");
    const auto done = shop.ctl({"snapshot", "delete", "monday", "--keep-keys", "-o", "json"});
    CHECK(done.json().at("keys_kept") == 1);
    CHECK(shop.ctl({"get", "cart", "name", "--snapshot", shop.folder() / "monday"}).code == 0);
  }
  SECTION("another one cannot be read, so that nobody knows") {
    REQUIRE(shop.ctl({"snapshot", "create", "cart", "tuesday"}).code == 0);
    shop.copy("tuesday");
    std::ofstream(shop.state() / "snapshots/tuesday.sbsnap", std::ios::trunc) << "spoilt";
    REQUIRE(shop.remove("monday") == 0);
    CHECK(shop.ctl({"get", "cart", "name", "--snapshot", shop.folder() / "tuesday"}).code == 0);
  }
}

TEST_CASE("DataBlocks are deleted by number, by name and number, or all of a name") {
  Shop shop;
  for (const char* block : {"cart", "prices", "cart", "cart"}) {
    REQUIRE(shop.ctl({"elevate", block}).code == 0);
  }
  if (GENERATE(true, false)) shop.stop_director();
  const auto remove = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"datablocks", "delete"});
    return shop.ctl(words);
  };
  const auto left = [&] {
    std::vector<int> numbers;
    for (const auto& one : shop.ctl({"datablocks", "-o", "json"}).json()) {
      numbers.push_back(one.at("datablock").get<int>());
    }
    return numbers;
  };
  const auto several = remove({"cart"});
  CHECK(several.code == 2);
  CHECK(several.err.find("cart@1, cart@3, cart@4") != std::string::npos);
  for (const char* absent : {"none", "9", "cart@9", "prices@1", "99999999999999999999"}) {
    CHECK(remove({absent}).code == 3);
  }
  for (const char* absurd : {"", "@", "@1", "cart@", "cart@one", "cart@1@3", "-1x", "two words"}) {
    INFO(absurd);
    CHECK(remove({"--", absurd}).code == 2);
  }
  CHECK(remove({}).code == 2);
  CHECK(left() == std::vector{1, 2, 3, 4});
  CHECK(remove({"cart@3"}).code == 0);
  CHECK(remove({"prices", "-o", "json"}).json().at("deleted") == 1);
  CHECK(remove({"4"}).code == 0);
  CHECK(left() == std::vector{1});
  CHECK(remove({"cart", "--all"}).code == 0);
  CHECK(left().empty());
  CHECK(remove({"cart", "--all"}).code == 3);
}

TEST_CASE("a stopped director is waited for, and nothing is deleted behind its back") {
  Shop shop;
  REQUIRE(shop.ctl({"elevate", "cart"}).code == 0);
  REQUIRE(shop.ctl({"snapshot", "create", "cart", "monday"}).code == 0);
  shop.pause_director();
  CHECK(shop.ctl({"--time-limit-ms", "100", "snapshot", "delete", "monday"}).code == 4);
  CHECK(shop.list().size() == 1);
  shop.resume_director();
}

TEST_CASE("a worker deletes what its own scope owned, and no more") {
  std::string suite(kShop);
  const std::string own =
      "[block.mine]\nkind = \"private\"\nowner = \"script.keeper\"\nquota = \"1MiB\"\n"
      "permit = [\"persist\", \"elevate\"]\n";
  suite.replace(suite.find("[script.keeper]"), std::string::npos,
                own + "[script.keeper]\ncommand = [\"sh\", \"-c\", \"ctl put mine a b; " +
                    "ctl snapshot create mine own; ctl elevate mine; touch out/made; " +
                    "while ! test -e out/go; do sleep 0.02; done; " +
                    "ctl snapshot delete all; echo $? >> out/codes; " +
                    "ctl snapshot delete own; echo $? >> out/codes; " +
                    "ctl datablocks delete cart; echo $? >> out/codes; " +
                    "ctl datablocks delete mine; echo $? >> out/codes; " +
                    "touch out/done; exec sleep 1000\"]\npaths = { write = [\"out\"] }\n");
  for (auto at = suite.find("ctl "); at != std::string::npos; at = suite.find("ctl ", at + 1)) {
    suite.replace(at, 4, std::string(SESSIONCTL) + " ");
    at += std::string(SESSIONCTL).size();
  }
  DirectedSystem shop(suite);
  fs::create_directory(shop.folder() / "out");
  shop.start();
  while (!fs::exists(shop.folder() / "out/made")) ::sched_yield();
  REQUIRE(shop.ctl({"snapshot", "create", "--suite", "all"}).code == 0);
  REQUIRE(shop.ctl({"elevate", "cart"}).code == 0);
  shop.write_file("out/go", "");
  while (!fs::exists(shop.folder() / "out/done")) ::sched_yield();
  CHECK(shop.read_file("out/codes") == "5\n0\n5\n0\n");
  CHECK(shop.ctl({"snapshot", "list", "-o", "json"}).json().size() == 1);
  CHECK(shop.ctl({"datablocks", "-o", "json"}).json().size() == 1);
}
