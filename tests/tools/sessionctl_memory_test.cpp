// sessionctl memory: promised, reserved and budget of each scope; flowdirector --memory.
#include <catch2/catch.hpp>
#include <sstream>

#include "sessionctl_fixture.hpp"

using sessionctl_test::DirectedSystem;

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

constexpr std::string_view kShop = R"(schema = 1
[suite]
name = "shop"
memory = "8MiB"
[block.cart]
kind = "shared"
owner = "suite"
quota = "2MiB"
grants = { mail = "r" }
[block.passed]
kind = "inherited"
from = "cart"
heirs = { mail = "r" }
[block.letters]
owner = "script.mail"
quota = "1MiB"
[block.draft]
owner = "worker"
quota = "1MiB"
[script.mail]
command = ["/bin/sleep", "1000"]
memory = "3MiB"
)";

nlohmann::json memory_of(const DirectedSystem& system) {
  const auto outcome = system.ctl({"-o", "json", "memory"});
  REQUIRE(outcome.code == 0);
  return outcome.json();
}

nlohmann::json scope_in(const nlohmann::json& memory, const std::string& path) {
  for (const auto& row : memory["scopes"]) {
    if (row["scope"] == path) return row;
  }
  FAIL("no scope " << path);
  return {};
}

// The words of the table's row that begins so.
std::vector<std::string> row_in(const std::string& table, const std::string& first) {
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(first + " ", 0) != 0) continue;
    std::istringstream words(line);
    return {std::istream_iterator<std::string>(words), {}};
  }
  FAIL("no row " << first << " in " << table);
  return {};
}

}  // namespace

TEST_CASE("memory lists what each scope was promised, has reserved, and may have") {
  DirectedSystem system(kShop);
  system.start("serve", {"--memory", "10MiB"});
  auto memory = memory_of(system);
  CHECK(memory["blocks"] == 3);
  CHECK(memory["promised_bytes"] == 4 * kMiB);
  CHECK(memory["budget_bytes"] == 10 * kMiB);
  auto suite = scope_in(memory, "shop");
  CHECK(suite["blocks"] == 1);
  CHECK(suite["promised_bytes"] == 2 * kMiB);
  CHECK(suite["promised_with_below_bytes"] == 4 * kMiB);
  CHECK(suite["budget_bytes"] == 8 * kMiB);
  CHECK(suite["reserved_bytes"] > 0);
  CHECK(suite["reserved_bytes"] <= 2 * kMiB);
  auto mail = scope_in(memory, "shop/mail");
  CHECK(mail["promised_bytes"] == kMiB);
  CHECK(mail["promised_with_below_bytes"] == 2 * kMiB);
  CHECK(mail["budget_bytes"] == 3 * kMiB);
  auto slot = scope_in(memory, "shop/mail#1");
  CHECK(slot["promised_bytes"] == kMiB);
  CHECK_FALSE(slot.contains("budget_bytes"));
  CHECK(memory["reserved_bytes"] == suite["reserved_bytes"].get<std::uint64_t>() +
                                        mail["reserved_bytes"].get<std::uint64_t>() +
                                        slot["reserved_bytes"].get<std::uint64_t>());
  const std::string table = system.ctl({"memory"}).out;
  INFO(table);
  CHECK(table.rfind("SCOPE", 0) == 0);
  const auto row = row_in(table, "shop");
  REQUIRE(row.size() == 10);  // a size is two words
  CHECK(row[1] == "1");
  CHECK(row[2] + row[3] == "2.0MiB");
  CHECK(row[6] + row[7] == "4.0MiB");
  CHECK(row[8] + row[9] == "8.0MiB");
  CHECK(row_in(table, "shop/mail#1").back() == "-");
  CHECK(row_in(table, "(system").size() == 11);
}

TEST_CASE("a block beyond a budget is refused, and the next director keeps the budget") {
  DirectedSystem system(kShop);
  system.start("serve", {"--memory", "5MiB"});
  REQUIRE(system.ctl({"create", "more", "--quota", "1MiB"}).code == 0);
  const auto refused = system.ctl({"create", "extra", "--quota", "1MiB"});
  CHECK(refused.code == 1);
  CHECK(refused.err.find("the system has a memory budget of 5MiB") != std::string::npos);
  system.kill_director();
  CHECK(memory_of(system)["budget_bytes"] == 5 * kMiB);
  system.start();
  CHECK(system.ctl({"create", "extra", "--quota", "1MiB"}).code == 1);
  CHECK(scope_in(memory_of(system), "shop")["budget_bytes"] == 8 * kMiB);
  system.kill_director();
  system.start("serve", {"--memory", "none"});
  CHECK_FALSE(memory_of(system).contains("budget_bytes"));
  REQUIRE(system.ctl({"create", "extra", "--quota", "1MiB"}).code == 0);
  REQUIRE(system.ctl({"destroy", "extra"}).code == 0);
  CHECK(memory_of(system)["promised_bytes"] == 5 * kMiB);
}

TEST_CASE("a declared block that had ended, and does not fit any more, stops no take-over") {
  DirectedSystem system(kShop);
  system.start("serve", {"--memory", "4MiB"});
  REQUIRE(system.ctl({"--scope", "shop/mail", "destroy", "letters"}).code == 0);
  REQUIRE(system.ctl({"create", "instead", "--quota", "1MiB"}).code == 0);
  system.kill_director();
  system.start();
  CHECK(memory_of(system)["blocks"] == 3);
  CHECK(system.ctl({"describe", "instead"}).code == 0);
  CHECK(system.ctl({"describe", "letters"}).code == 3);
}

TEST_CASE("flowdirector refuses a --memory that is no size before anything is there") {
  for (const char* typed : {"4", "-1MiB", "1KiB", "much"}) {
    DirectedSystem system(kShop);
    system.start("run", {"--memory", typed});
    CHECK(system.wait() == 2);
    CHECK(system.segments().empty());
    CHECK_FALSE(std::filesystem::exists(system.runtime()));
  }
}

TEST_CASE("a suite whose blocks the system's budget does not hold is not started") {
  DirectedSystem system(kShop);
  system.start("run", {"--memory", "3MiB"});
  CHECK(system.wait() == 1);
  CHECK(system.segments().empty());
}

TEST_CASE("compaction gives back what a block no longer needs") {
  DirectedSystem system(R"(schema = 1
[suite]
name = "shop"
[block.plan]
kind = "shared"
owner = "suite"
quota = "16MiB"
[script.keeper]
command = ["/bin/sleep", "1000"]
)");
  system.start();
  const auto reserved = [&] {
    return system.ctl({"describe", "plan", "-o", "json"}).json().at("reserved_bytes");
  };
  const std::string large(1U << 20U, 'l');
  for (int i = 0; i < 8; ++i) {
    REQUIRE(system.ctl({"put", "plan", "k" + std::to_string(i), "-"}, large).code == 0);
  }
  REQUIRE(system.ctl({"checkpoint", "plan", "full"}).code == 0);
  for (int i = 1; i < 8; ++i) {
    REQUIRE(system.ctl({"erase", "plan", "k" + std::to_string(i)}).code == 0);
  }
  // What a checkpoint needs comes along.
  REQUIRE(system.ctl({"compact", "plan"}).code == 0);
  CHECK(reserved() >= 8U << 20U);
  CHECK(system.ctl({"get", "plan", "k7", "--at", "full"}).out == large + "\n");
  REQUIRE(system.ctl({"checkpoint", "plan", "full", "--release"}).code == 0);
  REQUIRE(system.ctl({"compact", "plan"}).code == 0);
  CHECK(reserved() <= 4U << 20U);
  CHECK(system.ctl({"get", "plan", "k0"}).out == large + "\n");
  CHECK(system.ctl({"keys", "plan"}).out == "k0\n");
  CHECK(system.ctl({"fsck", "plan"}).code == 0);
  CHECK(system.ctl({"compact", "nothing"}).code == 3);
  REQUIRE(system.ctl({"seal", "plan"}).code == 0);
  CHECK(system.ctl({"compact", "plan"}).code == 2);
}
