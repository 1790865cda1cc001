// Sensitive keys: what a run of a whole system leaves in files, and says, holds nothing of them.
#include <sodium.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sessionctl_fixture.hpp"

namespace fs = std::filesystem;
using sessionctl_test::DirectedSystem;
using sessionctl_test::Outcome;

namespace {

// Marked by "token:*": neither may be anywhere.
constexpr std::string_view kKey = "token:anna-QxT7sdP0";
constexpr std::string_view kOpenPart = "anna-QxT7sdP0";
constexpr std::string_view kValue = "Tr0ub4dor&3 horse battery staple";

// The worker reads its own entries as they are.
constexpr const char* kWorker = R"sh(set -u
./sessionctl put vault token:anna-QxT7sdP0 "Tr0ub4dor&3 horse battery staple" || exit 11
test "$(./sessionctl get vault token:anna-QxT7sdP0)" = "Tr0ub4dor&3 horse battery staple" || exit 12
./sessionctl keys vault | grep -q anna || exit 13
./sessionctl put vault plain "known to all" || exit 14
./sessionctl put vault filter "$(cat /proc/self/coredump_filter)" || exit 17
./sessionctl incr vault token:count 4711001 > /dev/null || exit 15
./sessionctl get vault token:anna-QxT7sdP0-none 2> /dev/null; test $? = 3 || exit 16
sleep 1000
)sh";

constexpr const char* kShop = R"(schema = 1
[suite]
name = "shop"
[block.vault]
kind = "shared"
owner = "suite"
quota = "2MiB"
grants = { clerk = "rw" }
permit = ["fork", "persist", "elevate"]
sensitive = ["token:*"]
[script.clerk]
command = ["/bin/sh", "./clerk.sh"]
)";

std::string hex_of(std::string_view text) {
  std::string out(text.size() * 2 + 1, '\0');
  sodium_bin2hex(out.data(), out.size(), reinterpret_cast<const unsigned char*>(text.data()),
                 text.size());
  out.pop_back();
  return out;
}

// Of what is inside at each of the three phases: the first and last digits depend on what is
// around.
std::vector<std::string> base64_of(std::string_view text) {
  std::vector<std::string> all;
  for (std::size_t phase = 0; phase < 3; ++phase) {
    const std::string bytes = std::string(phase, ' ') + std::string(text);
    std::string out(bytes.size() * 2 + 8, '\0');
    sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                      bytes.size(), sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    out.resize(std::char_traits<char>::length(out.c_str()));
    all.push_back(out.substr(4, out.size() - 8));
  }
  return all;
}

// What the text must not hold of either; empty: nothing of it.
std::string shown_in(const std::string& text) {
  for (const std::string_view secret : {kOpenPart, kValue, std::string_view("4711001")}) {
    if (text.find(secret) != std::string::npos) return std::string(secret);
    if (text.find(hex_of(secret)) != std::string::npos) return "hex of " + std::string(secret);
    if (secret.size() < 12) continue;
    for (const std::string& digits : base64_of(secret)) {
      if (text.find(digits) != std::string::npos) return "base64 of " + std::string(secret);
    }
  }
  return {};
}

std::string contents(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

void start(DirectedSystem& system) {
  system.write_file("clerk.sh", kWorker, true);
  fs::create_symlink(SESSIONCTL, system.folder() / "sessionctl");
  system.start("serve", {"-v", "--no-guard"});  // which would quarantine blocks
  // Until the worker has said all.
  for (int i = 0; i < 100'000; ++i) {
    const auto dump = system.ctl({"dump", "vault", "-o", "json"});
    if (dump.code == 0 && dump.json().size() == 4) return;
  }
  FAIL("the worker did not finish");
}

}  // namespace

TEST_CASE("no output of the tools and no file of a run holds anything of a sensitive entry") {
  DirectedSystem system{kShop};
  start(system);
  const std::vector<std::vector<std::string>> commands = {
      {"ls"},
      {"describe", "vault"},
      {"describe", "vault", "-o", "json"},
      {"keys", "vault"},
      {"keys", "vault", "-o", "json"},
      {"dump", "vault"},
      {"dump", "vault", "-o", "json"},
      {"get", "vault", "token:count"},
      {"get", "vault", "token:count", "--raw"},
      {"get", "vault", "token:count", "-o", "json"},
      {"incr", "vault", "token:count", "0"},
      {"log"},
      {"log", "-o", "json"},
      {"log", "-o", "trace"},
      {"log", "verify"},
      {"fsck", "vault"},
      {"doctor"},
  };
  for (const auto& command : commands) {
    const Outcome outcome = system.ctl(command);
    CAPTURE(command.front(), command.back(), outcome.err);
    CHECK(shown_in(outcome.out + outcome.err).empty());
  }
  // Of a value that an operator asks for by its key: only how much there is.
  const Outcome asked = system.ctl({"get", "vault", std::string(kKey)});
  CHECK(asked.code == 0);
  CHECK(asked.out == "(sensitive, 32 bytes)\n");
  const Outcome asked_json = system.ctl({"get", "vault", std::string(kKey), "-o", "json"});
  CHECK(asked_json.json().at("sensitive") == true);
  CHECK(asked_json.json().at("value_bytes") == 32);
  CHECK(shown_in(asked_json.out).empty());
  // One name in all of them.
  const std::string name = asked_json.json().at("key");
  CHECK(name.starts_with("sensitive:"));
  CHECK(system.ctl({"keys", "vault"}).out.find(name + "\n") != std::string::npos);
  CHECK(system.ctl({"log"}).out.find(name) != std::string::npos);
  CHECK(system.ctl({"log", "-o", "json"}).out.find(name) != std::string::npos);
  CHECK(system.ctl({"get", "vault", "plain"}).out == "known to all\n");
  CHECK(system.ctl({"describe", "vault", "-o", "json"}).json().at("sensitive").at(0) == "token:*");
  // A prefix is one of what is shown, and tells nothing of what is not.
  CHECK(system.ctl({"keys", "vault", "--prefix", "token:a"}).out.empty());
  CHECK(system.ctl({"keys", "vault", "--prefix", "sensitive:"}).out.find(name) !=
        std::string::npos);
  // As a scope that has a grant.
  CHECK(system.ctl({"get", "vault", std::string(kKey), "--scope", "shop/clerk"}).out ==
        std::string(kValue) + "\n");
  // What is derived of the block keeps its masks.
  REQUIRE(system.ctl({"fork", "vault", "copy"}).code == 0);
  CHECK(shown_in(system.ctl({"dump", "copy"}).out).empty());
  REQUIRE(system.ctl({"put", "copy", std::string(kKey), "other"}).code == 0);
  REQUIRE(system.ctl({"put", "vault", std::string(kKey), "another"}).code == 0);
  for (const auto& command :
       std::vector<std::vector<std::string>>{{"join", "copy"},
                                             {"join", "copy", "--trial"},
                                             {"join", "copy", "--trial", "-o", "json"}}) {
    const Outcome conflict = system.ctl(command);
    CHECK(conflict.code == 6);
    CHECK(shown_in(conflict.out + conflict.err).empty());
    CHECK((conflict.out + conflict.err).find(name) != std::string::npos);
  }
  REQUIRE(system.ctl({"put", "vault", std::string(kKey), std::string(kValue)}).code == 0);
  REQUIRE(system.ctl({"checkpoint", "vault", "then"}).code == 0);
  CHECK(shown_in(system.ctl({"dump", "vault", "--at", "then"}).out).empty());
  REQUIRE(system.ctl({"put", "vault", std::string(kKey), "more"}).code == 0);
  const Outcome diff = system.ctl({"diff", "vault", "then"});
  CHECK(diff.out.find(name) != std::string::npos);
  CHECK(shown_in(diff.out).empty());
  REQUIRE(system.ctl({"put", "vault", std::string(kKey), std::string(kValue)}).code == 0);
  REQUIRE(system.ctl({"snapshot", "create", "vault", "kept"}).code == 0);
  const Outcome of_file = system.ctl({"dump", "vault", "--snapshot", "kept"});
  CHECK(of_file.code == 0);
  CHECK(shown_in(of_file.out).empty());
  CHECK(of_file.out.find(name) != std::string::npos);
  REQUIRE(system.ctl({"snapshot", "restore", "kept", "--as", "back"}).code == 0);
  const Outcome back = system.ctl({"dump", "back", "-o", "json"});
  CHECK(back.json().size() == 4);
  CHECK(shown_in(back.out).empty());
  REQUIRE(system.ctl({"elevate", "vault"}).code == 0);
  REQUIRE(system.ctl({"load", "vault", "--as", "loaded"}).code == 0);
  const Outcome loaded = system.ctl({"dump", "loaded", "-o", "json"});
  CHECK(loaded.json().size() == 4);
  CHECK(shown_in(loaded.out).empty());
  REQUIRE(system.ctl({"compact", "vault"}).code == 0);
  CHECK(shown_in(system.ctl({"dump", "vault"}).out).empty());
  for (const auto& file : fs::recursive_directory_iterator(system.runtime() / "logs")) {
    CAPTURE(file.path().native());
    CHECK(shown_in(contents(file.path())).empty());
  }
}

TEST_CASE("sensitive keys are known again after a restart of the director, and without one") {
  DirectedSystem system{kShop};
  start(system);
  REQUIRE(
      system
          .ctl({"create", "own", "--quota", "1MiB", "--sensitive", "pin-*", "--sensitive", "code"})
          .code == 0);
  REQUIRE(system.ctl({"put", "own", "pin-QxT7sdP0", std::string(kValue)}).code == 0);
  REQUIRE(system.ctl({"put", "own", "code", std::string(kValue)}).code == 0);
  // A pattern that control has no room for: every key is sensitive then.
  REQUIRE(system.ctl({"create", "long", "--quota", "1MiB", "--sensitive", std::string(200, 'x')})
              .code == 0);
  REQUIRE(system.ctl({"put", "long", "any", std::string(kValue)}).code == 0);
  const std::string before = system.ctl({"keys", "own"}).out;
  const auto check = [&] {
    for (const char* block : {"vault", "own", "long"}) {
      CAPTURE(block);
      const Outcome dump = system.ctl({"dump", block});
      CHECK(shown_in(dump.out).empty());
      CHECK(dump.out.find("sensitive:") != std::string::npos);
    }
    CHECK(system.ctl({"keys", "own"}).out == before);
    CHECK(before.find("pin") == std::string::npos);
    CHECK(before.find("code") == std::string::npos);
  };
  check();
  system.kill_director();
  check();
  system.start("serve", {"-v", "--no-guard"});  // which would quarantine blocks
  check();
  REQUIRE(system.ctl({"put", "own", "pin-second-QxT7sdP0", std::string(kValue)}).code == 0);
  CHECK(shown_in(system.ctl({"log"}).out).empty());
  CHECK(system.ctl({"log"}).out.find("QxT7sdP0") == std::string::npos);
  CHECK(system.ctl({"create", "none", "--sensitive", ""}).code == 2);
}

TEST_CASE("a director's core dump holds no memory, a worker's what it held without one") {
  DirectedSystem system{kShop};
  start(system);
  std::string pid;
  REQUIRE(std::ifstream(system.runtime() / "lock") >> pid);
  CHECK(std::stoul(contents("/proc/" + pid + "/coredump_filter"), nullptr, 16) == 0);
  const std::string own = contents("/proc/self/coredump_filter");
  CHECK(system.ctl({"get", "vault", "filter"}).out == own);
}
