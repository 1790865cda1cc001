#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>

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
quota = "2MiB"
grants = { keeper = "rw" }
[block.progress]
kind = "private"
owner = "worker"
quota = "1MiB"
[block.settings]
kind = "inherited"
from = "cart"
heirs = { keeper = "r" }
[script.keeper]
command = ["/bin/sleep", "1000"]
workers = 2
)";

constexpr const char* kOddKey = "\xff\x01key";

void put_examples(const DirectedSystem& system) {
  REQUIRE(system.ctl({"put", "cart", "name", "Anna"}).code == 0);
  REQUIRE(system.ctl({"put", "cart", "count", "41", "--type", "integer"}).code == 0);
  REQUIRE(system.ctl({"put", "cart", "ratio", "0.5", "--type", "real"}).code == 0);
  REQUIRE(system.ctl({"put", "cart", "open", "true", "--type", "boolean"}).code == 0);
  REQUIRE(system.ctl({"put", "cart", kOddKey, "-", "--type", "bytes"}, "\x01\xff\n").code == 0);
  REQUIRE(system.ctl({"put", "cart", "token", "t", "--ttl", "1h"}).code == 0);
}

void check_examples(const DirectedSystem& system) {
  CHECK(system.ctl({"get", "cart", "name"}).out == "Anna\n");
  CHECK(system.ctl({"get", "cart", "count"}).out == "41\n");
  CHECK(system.ctl({"get", "cart", "ratio"}).out == "0.5\n");
  CHECK(system.ctl({"get", "cart", "open"}).out == "true\n");
  CHECK(system.ctl({"get", "cart", kOddKey, "--raw"}).out == "\x01\xff\n");
  CHECK(system.ctl({"get", "cart", "/wFrZXk=", "--base64", "--raw"}).out == "\x01\xff\n");
  const auto token = system.ctl({"get", "cart", "token", "-o", "json"}).json();
  CHECK(token.at("value") == "t");
  CHECK(token.at("type") == "text");
  CHECK(token.at("expires_in_ms") > 0);
  CHECK(token.at("expires_in_ms") <= 3'600'000);
  CHECK(system.ctl({"keys", "cart"}).out == "count\nname\nopen\nratio\ntoken\n\\xff\\x01key\n");
  const auto odd = system.ctl({"keys", "cart", "--prefix", "\xff", "-o", "json"}).json();
  CHECK(odd == nlohmann::json::parse(R"([{"key_base64": "/wFrZXk="}])"));
  const auto all = system.ctl({"dump", "cart", "-o", "json"}).json();
  REQUIRE(all.size() == 6);
  CHECK(all[0].at("value") == 41);
  CHECK(all[5].at("value_base64") == "Af8K");
  CHECK(system.ctl({"dump", "cart"}).out.find("Anna") != std::string::npos);
}

std::string code_and_text(const Outcome& outcome) {
  return std::to_string(outcome.code) + " " + outcome.out + outcome.err;
}

void expect(const Outcome& outcome, int code) {
  INFO(code_and_text(outcome));
  CHECK(outcome.code == code);
  if (code != 0 && code != 6) CHECK(outcome.out.empty());
  if (code != 0 && code != 6) CHECK_FALSE(outcome.err.empty());
}

}  // namespace

TEST_CASE("an operator puts, reads, counts and erases, with a director at work") {
  DirectedSystem system(kShop);
  system.start();
  put_examples(system);
  check_examples(system);
  CHECK(system.ctl({"incr", "cart", "count"}).out == "42\n");
  CHECK(system.ctl({"incr", "cart", "count", "--", "-2"}).out == "40\n");
  CHECK(system.ctl({"incr", "cart", "ratio", "0.25", "-o", "json"}).json().at("value") == 0.75);
  CHECK(system.ctl({"put", "cart", "ls", "get"}).code == 0);
  CHECK(system.ctl({"get", "cart", "ls"}).out == "get\n");
  CHECK(system.ctl({"put", "cart", "line", "-"}, "from stdin\n").code == 0);
  CHECK(system.ctl({"get", "cart", "line", "--raw"}).out == "from stdin");
  CHECK(system.ctl({"erase", "cart", "name"}).code == 0);
  expect(system.ctl({"get", "cart", "name"}), 3);
  expect(system.ctl({"erase", "cart", "name"}), 3);
}

TEST_CASE("lists and descriptions say what the director holds") {
  DirectedSystem system(kShop);
  system.start();
  const auto blocks = system.ctl({"ls", "-o", "json"}).json();
  CHECK(blocks.at("director").at("running") == true);
  CHECK(blocks.at("blocks").size() == 4);  // cart, settings, a progress for each slot
  const auto scopes = system.ctl({"ls", "scopes", "-o", "json"}).json().at("scopes");
  REQUIRE(scopes.size() == 4);
  CHECK(scopes[3].at("path") == "shop/keeper#2");
  CHECK(system.ctl({"ls", "workers", "-o", "json"}).json().at("workers").size() == 3);
  CHECK(system.ctl({"ls"}).out.find("shop/keeper#2") != std::string::npos);
  const auto cart = system.ctl({"describe", "cart", "-o", "json"}).json();
  CHECK(cart.at("quota_bytes") == 2 << 20);
  CHECK(cart.at("owner") == "shop");
  CHECK(system.ctl({"describe", "cart"}).out.find("2.0 MiB") != std::string::npos);
  CHECK(system.ctl({"get", "settings", "nothing"}).code == 3);  // through to the block behind it
  expect(system.ctl({"describe", "nowhere"}), 3);
  expect(system.ctl({"describe", "progress"}), 2);  // two slots have one
  CHECK(system.ctl({"describe", "progress", "--scope", "shop/keeper#2"}).code == 0);
  const std::string id = "#" + std::to_string(cart.at("id").get<int>());
  CHECK(system.ctl({"describe", id, "-o", "json"}).json().at("name") == "cart");
}

TEST_CASE("a private block is reached through the scope that owns it") {
  DirectedSystem system(kShop);
  system.start();
  expect(system.ctl({"put", "progress", "line", "7"}), 2);
  CHECK(system.ctl({"put", "progress", "line", "7", "--scope", "shop/keeper#2"}).code == 0);
  CHECK(system.ctl({"get", "progress", "line", "--scope", "shop/keeper#2"}).out == "7\n");
  expect(system.ctl({"get", "progress", "line", "--scope", "shop/keeper#1"}), 3);
  expect(system.ctl({"put", "progress", "line", "7", "--scope", "shop/nobody"}), 3);
  expect(system.ctl({"put", "settings", "k", "v", "--scope", "shop/keeper#1"}), 5);
}

TEST_CASE("absurd command lines and values are refused, and nothing is done") {
  DirectedSystem system(kShop);
  system.start();
  const std::vector<std::vector<std::string>> usage = {
      {},
      {"frobnicate"},
      {"get"},
      {"get", "cart"},
      {"get", "cart", "key", "more"},
      {"ls", "planets"},
      {"ls", "-o", "xml"},
      {"get", "cart", ""},
      {"get", "cart", std::string(1'025, 'k')},
      {"get", "cart", "***", "--base64"},
      {"put", "cart", "k", "abc", "--type", "integer"},
      {"put", "cart", "k", "9223372036854775808", "--type", "integer"},
      {"put", "cart", "k", "nan", "--type", "real"},
      {"put", "cart", "k", "yes", "--type", "boolean"},
      {"put", "cart", "k", "v", "--type", "tree"},
      {"put", "cart", "k", "v", "--ttl", "soon"},
      {"put", "cart", "k", "v", "--ttl", "0s"},
      {"incr", "cart", "k", "many"},
      {"log", "--op", "frob"},
      {"log", "--since", "yesterday"},
      {"suite"},
      {"ls", "--system", "9/../x"},
  };
  for (const auto& arguments : usage) expect(system.ctl(arguments), 2);
  CHECK(system.ctl({"keys", "cart"}).out.empty());
  REQUIRE(system.ctl({"put", "cart", "word", "text"}).code == 0);
  expect(system.ctl({"incr", "cart", "word"}), 1);  // the wrong type
  expect(system.ctl({"put", "nowhere", "k", "v"}), 3);
  expect(system.ctl({"put", "cart", "big", "-"}, std::string(3 << 20, 'x')), 1);
  CHECK(system.ctl({"keys", "cart"}).out == "word\n");
}

TEST_CASE("after a SIGKILL of the director everything can be read, and nothing changed") {
  DirectedSystem system(kShop);
  system.start();
  put_examples(system);
  system.kill_director();
  check_examples(system);
  CHECK(system.ctl({"ls", "-o", "json"}).json().at("director").at("running") == false);
  CHECK(system.ctl({"ls"}).err.find("no director") != std::string::npos);
  CHECK(system.ctl({"describe", "cart"}).code == 0);
  CHECK(system.ctl({"stats", "-o", "json"}).json().at("blocks").at(0).at("entries") == 6);
  expect(system.ctl({"fsck"}), 0);
  expect(system.ctl({"put", "cart", "k", "v"}), 4);
  expect(system.ctl({"incr", "cart", "count"}), 4);
  CHECK(system.ctl({"get", "cart", "count"}).out == "41\n");
}

TEST_CASE("clean keeps what somebody uses and removes what nobody does") {
  DirectedSystem system(kShop);
  system.start();
  CHECK(system.ctl({"clean", "-o", "json"}).json().at("systems")[0].at("result") == "kept");
  system.kill_director();
  // Its scripts live on: a new director would take them over.
  CHECK(system.ctl({"clean", "-o", "json"}).json().at("systems")[0].at("result") == "kept");
  CHECK_FALSE(system.segments().empty());
  system.kill_workers();
  CHECK(system.ctl({"clean", "-n", "-o", "json"}).json().at("systems")[0].at("result") == "dead");
  CHECK_FALSE(system.segments().empty());
  CHECK(system.ctl({"clean", "-o", "json"}).json().at("systems")[0].at("result") == "removed");
  CHECK(system.segments().empty());
  CHECK_FALSE(std::filesystem::exists(system.runtime() / "socket"));
  CHECK(system.ctl({"clean"}).out == "nothing to clean\n");
  expect(system.ctl({"ls"}), 3);
  expect(system.ctl({"put", "cart", "k", "v"}), 3);
}

TEST_CASE("fsck names damage that somebody did to a block, and reading survives it") {
  DirectedSystem system(kShop);
  system.start();
  put_examples(system);
  expect(system.ctl({"fsck"}), 0);
  expect(system.ctl({"fsck", "cart"}), 0);
  expect(system.ctl({"fsck", "nowhere"}), 3);
  system.kill_director();
  for (const std::string& name : system.segments()) {
    if (name.find(".block.") == std::string::npos) continue;
    std::fstream file("/dev/shm/" + name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(72);  // the word that names the index table
    const std::string noise(16, '\x5a');
    file.write(noise.data(), static_cast<std::streamsize>(noise.size()));
  }
  const Outcome found = system.ctl({"fsck", "cart", "-o", "json"});
  CHECK(found.code == 6);
  CHECK(found.json().at("findings") > 0);
  CHECK(found.out.find("table-word") != std::string::npos);
  expect(system.ctl({"get", "cart", "name"}), 6);
}

TEST_CASE("a segment of another layout version is named, not read") {
  DirectedSystem system(kShop);
  system.start();
  system.kill_director();
  system.kill_workers();  // nobody can list them afterwards
  for (const std::string& name : system.segments()) {
    if (name.find(".control") == std::string::npos) continue;
    std::fstream file("/dev/shm/" + name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(8);
    file.put('\x63');
    file.seekp(16);
    file.put('\x63');
  }
  expect(system.ctl({"ls"}), 7);
  expect(system.ctl({"get", "cart", "k"}), 7);
}

TEST_CASE("a shell script that the director started works on blocks as its scope") {
  DirectedSystem system(R"(schema = 1
[suite]
name = "shop"
[block.cart]
kind = "shared"
owner = "suite"
quota = "1MiB"
grants = { counter = "rw", viewer = "r" }
[block.secret]
kind = "shared"
owner = "suite"
quota = "1MiB"
grants = { viewer = "r" }
[script.viewer]
command = ["/bin/true"]
[script.counter]
command = ["/bin/sh", "./count.sh"]
paths = { write = ["out"] }
)");
  std::filesystem::create_directory(system.folder() / "out");
  std::filesystem::copy_file(SESSIONCTL, system.folder() / "sessionctl");
  system.write_file("count.sh", R"sh(set -u
./sessionctl put cart greeting "hello world" || exit 11
./sessionctl incr cart n 5 > /dev/null || exit 12
./sessionctl incr cart n -o json > out/incr.json || exit 13
test "$(./sessionctl get cart greeting)" = "hello world" || exit 14
printf 'a\nb' | ./sessionctl put cart lines - || exit 15
./sessionctl get cart lines --raw > out/lines || exit 16
./sessionctl keys cart > out/keys || exit 17
./sessionctl dump cart -o json > out/dump.json || exit 18
./sessionctl erase cart lines || exit 19
./sessionctl get cart lines 2>/dev/null; test $? = 3 || exit 20
./sessionctl get secret k 2>/dev/null; test $? = 5 || exit 21
./sessionctl fsck 2>/dev/null; test $? = 5 || exit 22
./sessionctl clean 2>/dev/null; test $? = 5 || exit 23
./sessionctl get nowhere k 2>/dev/null; test $? = 3 || exit 24
./sessionctl put cart k v --scope shop/viewer 2>/dev/null; test $? = 5 || exit 25
./sessionctl ls -o json > out/ls.json || exit 26
./sessionctl describe cart > out/describe || exit 27
exit 0
)sh");
  system.start("run");
  CHECK(system.wait() == 0);
  CHECK(nlohmann::json::parse(system.read_file("out/incr.json")).at("value") == 6);
  CHECK(system.read_file("out/lines") == "a\nb");
  CHECK(system.read_file("out/keys") == "greeting\nlines\nn\n");
  CHECK(nlohmann::json::parse(system.read_file("out/dump.json")).size() == 3);
  CHECK(nlohmann::json::parse(system.read_file("out/ls.json")).at("blocks").size() == 2);
  CHECK(system.segments().empty());
}

TEST_CASE("a suite file is checked without starting anything") {
  DirectedSystem system(kShop);
  const Outcome good = system.ctl({"suite", "check", system.suite_file()});
  CHECK(good.code == 0);
  CHECK(good.out.find("suite shop, 3 blocks, 1 scripts") != std::string::npos);
  system.write_file("bad.toml", "schema = 1\n[suite]\nname = \"x\"\ncolour = \"red\"\n");
  const std::string bad = (system.folder() / "bad.toml").native();
  const Outcome refused = system.ctl({"suite", "check", bad});
  CHECK(refused.code == 2);
  CHECK(refused.out.empty());
  CHECK(refused.err.find(bad + ":4:1: ") != std::string::npos);
  const auto problems = system.ctl({"suite", "check", bad, "-o", "json"}).json().at("problems");
  CHECK(problems.at(0).at("line") == 4);
  CHECK(system.ctl({"suite", "check", "/nowhere.toml"}).code == 2);
  CHECK(system.segments().empty());
}

TEST_CASE("doctor looks at everything and leaves nothing") {
  DirectedSystem system(kShop);
  const Outcome before = system.ctl({"doctor", "-o", "json"});
  INFO(code_and_text(before));
  CHECK((before.code == 0 || before.code == 6));
  CHECK(before.json().at("ok") == (before.code == 0));
  CHECK(before.json().at("checks").size() >= 8);
  CHECK(system.segments().empty());
  system.start();
  CHECK(system.ctl({"doctor"}).out.find("4 blocks") != std::string::npos);
  system.kill_director();
  const Outcome after = system.ctl({"doctor"});
  CHECK(after.code == 6);
  CHECK(after.out.find("no living director") != std::string::npos);
}

TEST_CASE("output that cannot be written is an error") {
  DirectedSystem system(kShop);
  system.write_file("full.sh", std::string(SESSIONCTL) + " suite check \"$1\" > /dev/full\n");
  CHECK(std::system(("sh " + (system.folder() / "full.sh").native() + " " + system.suite_file() +
                     " 2>/dev/null")
                        .c_str()) == 1 << 8);
}

TEST_CASE("help and usage need no system") {
  CHECK(DirectedSystem::plain_ctl({"--help"}).code == 0);
  CHECK(DirectedSystem::plain_ctl({"get", "--help"}).code == 0);
  CHECK(DirectedSystem::plain_ctl({"--frob"}).code == 2);
}
