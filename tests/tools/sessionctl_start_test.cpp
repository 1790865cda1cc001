// sessionctl start: scripts that the suite starts on request, for an operator and for a worker.
#include <sched.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>

#include "sessionctl_fixture.hpp"

using sessionctl_test::DirectedSystem;

namespace {

constexpr const char* kShop = R"(schema = 1
[suite]
name = "shop"
[script.keeper]
command = ["/bin/sleep", "1000"]
[script.mail]
command = ["sh", "-c", "printf '%s\n' \"$@\" >> out/mail; exit 0", "sh", "first"]
parent = "keeper"
start = "on-request"
restart = "never"
paths = { write = ["out"] }
[script.exits]
command = ["sh", "-c", "exit $1", "sh"]
parent = "keeper"
start = "on-request"
restart = "never"
[script.dies]
command = ["sh", "-c", "kill -9 $$"]
parent = "keeper"
start = "on-request"
restart = "never"
[script.slow]
command = ["/bin/sleep", "1000"]
parent = "keeper"
start = "on-request"
restart = "never"
timeout = "300ms"
[script.sleeps]
command = ["/bin/sleep", "1000"]
parent = "keeper"
start = "on-request"
[script.nested]
command = ["/bin/sleep", "1000"]
parent = "sleeps"
start = "on-request"
[script.shell]
command = ["sh", "-c", "ctl start --wait mail inside > out/own; echo $? >> out/own; ctl start nested 2>> out/own; echo $? >> out/own; touch out/done; exec sleep 1000"]
parent = "keeper"
start = "on-request"
paths = { write = ["out"] }
)";

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
    text.replace(at, what.size(), with);
    at += with.size();
  }
  return text;
}

struct Shop : DirectedSystem {
  Shop() : DirectedSystem(replaced(kShop, "ctl start", std::string(SESSIONCTL) + " start")) {
    std::filesystem::create_directory(folder() / "out");
    start();
  }
};

}  // namespace

TEST_CASE("an operator starts a script with its arguments, and waits for its end") {
  Shop shop;
  const auto started = shop.ctl({"start", "--wait", "mail", "a b", "", "--", "--flag", "-o"});
  INFO(started.err);
  REQUIRE(started.code == 0);
  CHECK(started.out == "shop/keeper/mail\n");
  CHECK(shop.read_file("out/mail") == "first\na b\n\n--flag\n-o\n");
  CHECK(shop.ctl({"--scope", "shop/keeper", "start", "mail", "--wait"}).code == 0);
  CHECK(shop.ctl({"start", "exits", "--wait", "0"}).code == 0);
  CHECK(shop.ctl({"start", "exits", "--wait", "37"}).code == 37);
  const auto json = shop.ctl({"start", "exits", "--wait", "3", "-o", "json"});
  CHECK(json.code == 3);
  CHECK(json.json() == nlohmann::json{{"scope", "shop/keeper/exits"}, {"exit_code", 3}});
  CHECK(shop.ctl({"start", "dies", "--wait"}).code == 137);
  CHECK(shop.ctl({"start", "slow", "--wait"}).code == 124);
  const auto at_once = shop.ctl({"start", "sleeps", "-o", "json"});
  CHECK(at_once.code == 0);
  CHECK(at_once.json() == nlohmann::json{{"scope", "shop/keeper/sleeps"}});
}

TEST_CASE("what cannot be started says why") {
  Shop shop;
  const auto refused = [&](std::vector<std::string> arguments, int code, const char* why) {
    arguments.insert(arguments.begin(), "start");
    const auto outcome = shop.ctl(arguments);
    INFO(outcome.err);
    CHECK(outcome.code == code);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.find(why) != std::string::npos);
  };
  refused({"mial"}, 3, "did you mean 'mail'");
  refused({""}, 3, "no such script");
  refused({"keeper"}, 5, "starts with the suite");
  refused({"nested"}, 3, "its parent, script 'sleeps', is ending or has ended");
  refused({"mail", "--scope", "shop/none"}, 3, "'shop/none'");
  refused({"mail", "--scope", "shop"}, 5, "a child of script 'keeper'");
  refused({"mail", "--scope", "shop/keeper#1"}, 5, "a child of script 'keeper'");
  refused({std::string(300, 'x')}, 1, "shorter text");
  refused({}, 2, "SCRIPT");
  refused({"mail", "--wiat"}, 2, "--wiat");
  std::vector<std::string> many(66, "x");
  many.front() = "mail";
  refused(many, 2, "at most 64");
  refused({"mail", std::string(40'000, 'x')}, 2, "32768 bytes");
  REQUIRE(shop.ctl({"start", "sleeps"}).code == 0);
  refused({"sleeps"}, 1, "has not ended");
  REQUIRE(shop.ctl({"start", "nested"}).code == 0);
  CHECK(shop.ctl({"ls", "scopes"}).out.find("shop/keeper/sleeps/nested") != std::string::npos);
  shop.kill_director();
  refused({"mail"}, 4, "");
  DirectedSystem none("schema = 1\n[suite]\nname = \"none\"\n");
  CHECK(none.ctl({"start", "mail"}).code == 4);
}

TEST_CASE("a worker starts what its own script is the parent of, and nothing else") {
  std::string suite = replaced(kShop, "ctl start", std::string(SESSIONCTL) + " start");
  suite = replaced(suite, "[script.shell]",
                   "[script.other]\ncommand = [\"/bin/sleep\", \"1\"]\n[script.shell]");
  const auto at = suite.find("[script.mail]");
  suite.replace(suite.find("parent = \"keeper\"", at), 17, "parent = \"shell\"");
  const std::string tail = suite.substr(suite.find("[script.shell]"));
  const std::string with_suite =
      replaced(tail, "parent = \"keeper\"\nstart = \"on-request\"\n", "");
  suite.replace(suite.find(tail), tail.size(), with_suite);
  DirectedSystem shop(suite);
  std::filesystem::create_directory(shop.folder() / "out");
  shop.start();
  while (!std::filesystem::exists(shop.folder() / "out/done")) ::sched_yield();
  const std::string own = shop.read_file("out/own");
  INFO(own);
  CHECK(own.starts_with("shop/shell/mail\n0\n"));
  CHECK(own.find("a child of script 'sleeps'") != std::string::npos);
  CHECK(own.ends_with("\n5\n"));
  CHECK(shop.read_file("out/mail") == "first\ninside\n");
}

TEST_CASE("who waits for a script hears under the next director that it has ended, not how") {
  std::string suite = replaced(
      kShop, "exit $1", "touch out/runs; while ! test -e out/go; do sleep 0.02; done; exit $1");
  suite = replaced(suite, "\"sh\"]\nparent", "\"sh\"]\npaths = { write = [\"out\"] }\nparent");
  DirectedSystem shop(suite);
  std::filesystem::create_directory(shop.folder() / "out");
  shop.start();
  int code = 4;
  // Again where the director was killed before it had answered.
  while (code == 4) {
    std::filesystem::remove(shop.folder() / "out/go");
    std::filesystem::remove(shop.folder() / "out/runs");
    sessionctl_test::Outcome outcome;
    std::thread waiting([&] { outcome = shop.ctl({"start", "exits", "--wait", "5"}); });
    while (!std::filesystem::exists(shop.folder() / "out/runs")) ::sched_yield();
    shop.kill_director();
    shop.start();
    shop.write_file("out/go", "");
    waiting.join();
    code = outcome.code;
    if (code == 3) CHECK(outcome.err.find("how is not known") != std::string::npos);
    // It may not have seen yet that it may go on, which the next round would take back.
    while (shop.ctl({"ls", "scopes"}).out.find("/exits") != std::string::npos) ::sched_yield();
  }
  CHECK(code == 3);
}
