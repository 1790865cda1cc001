// Memory budgets in suite files: one that cannot hold what is declared is refused where it stands.
#include <catch2/catch.hpp>

#include "suite_support.hpp"

using namespace suite_tests;

namespace {

std::string block(const std::string& name, const std::string& lines) {
  return "[block." + name + "]\nquota = \"1MiB\"\n" + lines;
}

std::string suite(const std::string& memory) {
  return kHead + "memory = " + memory + "\n";
}

std::string memory(const std::string& value) {
  return "memory = " + value + "\n";
}

const std::string kOfSlots = "owner = \"worker\"\ngrants = { s = \"rw\" }\n";

}  // namespace

TEST_CASE("a suite's budget holds its own blocks and those of all that starts with it") {
  const std::string blocks = block("a", "owner = \"suite\"\n") +
                             block("b", "owner = \"script.s\"\n") + block("c", kOfSlots);
  const std::string scripts = script("s", "workers = 3\n");
  CHECK(problems_of(suite("\"5MiB\"") + blocks + scripts).empty());
  expect({suite("@\"5242879B\"") + blocks + scripts,
          "memory 5242879B does not hold the declared blocks, which take 5MiB"});
}

TEST_CASE("a script's budget holds its own blocks and those of its children") {
  const std::string blocks = block("a", "owner = \"suite\"\n") +
                             block("b", "owner = \"script.s\"\n") +
                             block("c", "owner = \"script.child\"\n") + block("d", kOfSlots);
  const std::string child = script("child", "parent = \"s\"\n");
  CHECK(problems_of(kHead + blocks + script("s", memory("\"3MiB\"")) + child).empty());
  expect({kHead + blocks + script("s", memory("@\"2MiB\"")) + child,
          "memory 2MiB does not hold the declared blocks, which take 3MiB"});
  expect({suite("@\"3MiB\"") + blocks + script("s") +
              script("child", "parent = \"s\"\n" + memory("@\"512KiB\"")),
          "does not hold the declared blocks"});
}

TEST_CASE("what starts on request, inherited blocks and flows' are not held against a budget") {
  const std::string request =
      script("s") + script("later", "parent = \"s\"\nstart = \"on-request\"\n");
  const std::string blocks =
      block("a", "owner = \"suite\"\n") + block("b", "owner = \"script.later\"\n") +
      block("c", "owner = \"flow.charge\"\n") +
      "[block.d]\nkind = \"inherited\"\nfrom = \"a\"\nheirs = { s = \"r\" }\n";
  CHECK(problems_of(suite("\"1MiB\"") + blocks + request).empty());
  expect({suite("\"1MiB\"") + blocks + request + memory("@\"1048575B\""),
          "memory 1048575B does not hold the declared blocks, which take 1MiB"});
}

TEST_CASE("a budget that holds no block is refused, and so is one that is no size") {
  expect({suite("@\"65535B\""), "memory 65535B is too small; an empty block takes 64KiB"});
  expect({kHead + script("s", memory("@\"0B\"")), "memory 0B is too small"});
  expect({kHead + script("s", memory("@\"4\"")), "memory is '4': expected a whole number"});
  CHECK(problems_of(suite("\"64KiB\"") + script("s", memory("\"64KiB\""))).empty());
}

TEST_CASE("quotas count in whole pages, and no sum of them wraps") {
  const std::string odd = "[block.a]\nowner = \"suite\"\nquota = \"1048577B\"\n";
  expect({suite("@\"1048577B\"") + odd, "which take 1028KiB"});
  Machine huge = machine();
  huge.shm_bytes = ~std::uint64_t{0};
  // Twice this and 2 TiB are 2^64 bytes.
  const std::string most =
      "[block.a]\nquota = \"8388607TiB\"\n" + kOfSlots + "[block.b]\nquota = \"2TiB\"\n";
  expect({suite("@\"1GiB\"") + most + script("s", "workers = 2\n"), "does not hold"}, huge);
}
