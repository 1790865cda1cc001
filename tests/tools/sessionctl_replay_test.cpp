// sessionctl replay: what a block held after any operation, from the log alone.
#include <unistd.h>

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
quota = "2MiB"
permit = ["persist"]
log_values = true
[block.plain]
kind = "shared"
owner = "suite"
quota = "1MiB"
[script.keeper]
command = ["/bin/sleep", "1000"]
)";

// Its operations, once the log has so many; the first is the block's beginning.
nlohmann::json list_of(const DirectedSystem& system, std::size_t operations) {
  while (true) {
    const auto listed = system.ctl({"replay", "cart", "--list", "-o", "json"});
    if (listed.code == 0 && listed.json().at("list").size() >= operations) return listed.json();
    ::usleep(5'000);
  }
}

std::string number_of(const nlohmann::json& list, const std::string& operation) {
  for (const auto& row : list.at("list")) {
    if (row.at("operation") == operation) return std::to_string(row.at("number").get<unsigned>());
  }
  FAIL("no " << operation);
  return {};
}

void shop(const DirectedSystem& system) {
  REQUIRE(system.ctl({"put", "cart", "name", "Anna"}).code == 0);
  REQUIRE(system.ctl({"incr", "cart", "count", "5"}).code == 0);
  REQUIRE(system.ctl({"put", "cart", "name", std::string("a\033[1m\nb")}).code == 0);
  REQUIRE(system.ctl({"erase", "cart", "count"}).code == 0);
}

}  // namespace

TEST_CASE("replay shows a block behind any operation, steps and compares") {
  DirectedSystem system(kShop);
  system.start();
  shop(system);
  const auto list = list_of(system, 5);
  REQUIRE(list.at("operations") == 5);
  CHECK(list.at("remarks").empty());
  CHECK(list.at("list")[0].at("operation") == "generation 1");
  const std::string increment = number_of(list, "increment");
  const std::string erase = number_of(list, "erase");

  const auto last = system.ctl({"replay", "cart", "-o", "json"}).json();
  REQUIRE(last.at("entries").size() == 1);
  CHECK(last.at("entries")[0].at("value") == "a\033[1m\nb");
  const auto then = system.ctl({"replay", "cart", "--after", increment, "-o", "json"}).json();
  REQUIRE(then.at("entries").size() == 2);
  CHECK(then.at("entries")[0].at("key") == "count");
  CHECK(then.at("entries")[0].at("value") == 5);
  CHECK(then.at("entries")[1].at("value") == "Anna");
  const std::string record = list.at("list")[std::stoul(increment) - 1].at("record");
  CHECK(system.ctl({"replay", "cart", "--after", record, "-o", "json"}).json() == then);
  const std::string time = list.at("list")[std::stoul(increment) - 1].at("time");
  CHECK(system.ctl({"replay", "cart", "--at", time}).out.find("count") != std::string::npos);
  CHECK(system.ctl({"replay", "cart", "--after", "0"}).out.find("before operation 1") !=
        std::string::npos);
  // A name is found by its number too.
  CHECK(system.ctl({"replay", "#" + std::to_string(last.at("id").get<unsigned>())}).code == 0);

  const auto diff = system.ctl({"replay", "cart", "--diff", increment, erase, "-o", "json"}).json();
  REQUIRE(diff.at("differences").size() == 2);
  CHECK(diff.at("differences")[0].at("key") == "count");
  CHECK_FALSE(diff.at("differences")[0].contains("after"));
  const auto table = system.ctl({"replay", "cart", "--diff", increment, erase});
  CHECK(table.out.find("removed") != std::string::npos);
  // What could steer a terminal is escaped.
  CHECK(table.out.find('\033') == std::string::npos);
  CHECK(table.out.find("a\\x1b[1m\\x0ab") != std::string::npos);

  const auto steps = system.ctl({"replay", "cart", "--step"}, "p\np\nn\nnonsense\ns\n2\nq\n");
  CHECK(steps.code == 0);
  CHECK(steps.out.find("behind operation 3 of 5") != std::string::npos);
  CHECK(steps.out.find("behind operation 2 of 5") != std::string::npos);
  CHECK(steps.err.find("nonsense") != std::string::npos);
  CHECK(system.ctl({"describe", "cart", "-o", "json"}).json().at("log_values") == true);
}

TEST_CASE("replay says what it cannot show, and why") {
  DirectedSystem system(kShop);
  system.start();
  shop(system);
  (void)list_of(system, 5);
  const auto fails = [&](std::vector<std::string> words, int code, const std::string& why) {
    words.insert(words.begin(), {"replay"});
    const Outcome outcome = system.ctl(words);
    INFO(outcome.err);
    CHECK(outcome.code == code);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.find(why) != std::string::npos);
  };
  fails({"nothing"}, 3, "log_values");
  fails({"plain"}, 3, "log_values");
  fails({"cart", "--after", "6"}, 2, "the log has 5");
  fails({"cart", "--after", "x"}, 2, "--list");
  fails({"cart", "--after", "99.0:1"}, 3, "--list");
  fails({"cart", "--at", "x"}, 2, "UTC");
  fails({"cart", "--diff", "1", "x"}, 2, "UTC");
  fails({"cart", "--diff", "1"}, 2, "--diff");
  fails({"cart", "--log-dir", "/nowhere"}, 3, "no audit log");

  REQUIRE(system.ctl({"wipe", "cart"}).code == 0);
  (void)list_of(system, 6);
  const auto wiped = system.ctl({"replay", "cart", "--after", "2"});
  CHECK(wiped.code == 0);
  CHECK(wiped.err.find("wiped") != std::string::npos);
  CHECK(wiped.out.find("(not in the log)") != std::string::npos);
  CHECK(wiped.out.find("Anna") == std::string::npos);
}

TEST_CASE("a system that keeps no log refuses a block whose values it should log") {
  DirectedSystem system(R"(schema = 1
[suite]
name = "shop"
[script.keeper]
command = ["/bin/sleep", "1000"]
)");
  system.start("serve", {"--no-log"});
  const auto made = system.ctl({"create", "cart", "--log-values", "--permit", "persist"});
  CHECK(made.code != 0);
  INFO(made.err);
  const bool says_why = made.err.find("keeps none") != std::string::npos ||
                        made.err.find("suite file") != std::string::npos;
  CHECK(says_why);
}
