// sessionctl seal, unseal, quarantine, release and wipe, with workers at work.
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <thread>

#include "sessionctl_fixture.hpp"

using sessionctl_test::DirectedSystem;
using namespace std::chrono_literals;

namespace {

std::string shop(const std::string& enforce) {
  return R"(schema = 1
[suite]
name = "shop"
[block.cart]
kind = "shared"
owner = "suite"
quota = "2MiB"
grants = { keeper = "rw", watcher = "r" }
enforce = ")" +
         enforce + R"("
[block.settings]
kind = "inherited"
from = "cart"
heirs = { watcher = "r" }
[script.keeper]
command = ["/bin/sleep", "1000"]
[script.watcher]
command = ["/bin/sleep", "1000"]
)";
}

constexpr std::string_view kSecret = "correct-horse-battery-staple";

// How many of the system's segments have the secret somewhere.
unsigned segments_with_secret(const DirectedSystem& system) {
  unsigned found = 0;
  for (const std::string& name : system.segments()) {
    std::ifstream file("/dev/shm/" + name, std::ios::binary);
    REQUIRE(file);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    if (bytes.find(kSecret) != std::string::npos) ++found;
  }
  return found;
}

}  // namespace

TEST_CASE("an operator seals a block and unseals it") {
  DirectedSystem system(shop("cooperative"));
  system.start();
  REQUIRE(system.ctl({"put", "cart", "k", "v"}).code == 0);
  REQUIRE(system.ctl({"seal", "cart"}).code == 0);
  CHECK(system.ctl({"put", "cart", "k", "w"}).code == 1);
  CHECK(system.ctl({"put", "cart", "k", "w"}).err.find("sealed") != std::string::npos);
  CHECK(system.ctl({"get", "cart", "k"}).out == "v\n");
  CHECK(system.ctl({"ls"}).out.find("sealed") != std::string::npos);
  CHECK(system.ctl({"seal", "cart"}).code == 2);
  system.kill_director();
  system.start();
  CHECK(system.ctl({"put", "cart", "k", "w"}).code == 1);
  REQUIRE(system.ctl({"unseal", "cart"}).code == 0);
  REQUIRE(system.ctl({"put", "cart", "k", "w"}).code == 0);
  CHECK(system.ctl({"get", "cart", "k"}).out == "w\n");
  CHECK(system.ctl({"unseal", "cart"}).code == 2);
  CHECK(system.ctl({"seal", "settings"}).code == 2);
  CHECK(system.ctl({"seal", "none"}).code == 3);
  CHECK(system.ctl({"seal"}).code == 2);
}

TEST_CASE("a quarantined block is released when it is sound, and only then") {
  DirectedSystem system(shop("cooperative"));
  system.start();
  REQUIRE(system.ctl({"put", "cart", "k", "v"}).code == 0);
  REQUIRE(system.ctl({"quarantine", "cart"}).code == 0);
  CHECK(system.ctl({"put", "cart", "k", "w"}).code == 5);
  CHECK(system.ctl({"quarantine", "cart"}).code == 2);
  CHECK(system.ctl({"unseal", "cart"}).code == 2);
  REQUIRE(system.ctl({"release", "cart"}).code == 0);
  REQUIRE(system.ctl({"put", "cart", "k", "w"}).code == 0);
  REQUIRE(system.ctl({"quarantine", "cart"}).code == 0);
  for (const std::string& name : system.segments()) {
    if (name.find(".block.") == std::string::npos) continue;
    std::fstream file("/dev/shm/" + name, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(0);
    file.write("nonsense", 8);
  }
  const auto refused = system.ctl({"release", "cart"});
  CHECK(refused.code == 6);
  CHECK(refused.err.find("corrupt") != std::string::npos);
  CHECK(system.ctl({"put", "cart", "k", "w"}).code == 5);
}

TEST_CASE("no byte of a wiped block is left in any segment") {
  DirectedSystem system(shop("cooperative"));
  system.start();
  const std::string secret(kSecret);
  std::string large;
  while (large.size() < 100'000) large += secret;
  REQUIRE(system.ctl({"put", "cart", "old", secret}).code == 0);
  REQUIRE(system.ctl({"put", "cart", "erased", secret}).code == 0);
  REQUIRE(system.ctl({"put", "cart", "large", large}).code == 0);
  REQUIRE(system.ctl({"checkpoint", "cart", "then"}).code == 0);
  REQUIRE(system.ctl({"put", "cart", "old", "new"}).code == 0);
  REQUIRE(system.ctl({"erase", "cart", "erased"}).code == 0);
  CHECK(segments_with_secret(system) > 0);
  REQUIRE(system.ctl({"wipe", "cart"}).code == 0);
  CHECK(segments_with_secret(system) == 0);
  CHECK(system.ctl({"get", "cart", "old"}).code != 0);
  CHECK(system.ctl({"ls"}).out.find("wiped") != std::string::npos);
  CHECK(system.ctl({"release", "cart"}).code == 2);
  CHECK(system.ctl({"wipe", "cart"}).code == 2);
  system.kill_director();
  system.start();
  CHECK(segments_with_secret(system) == 0);
  CHECK(system.ctl({"wipe", "cart"}).code == 2);
}
