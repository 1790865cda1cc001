// A block whose quota runs out inside an operation. Each operation is tried at every amount of
// free memory: from none on, a filler less each time, until it succeeds.
#include <signal.h>

#include <catch2/catch.hpp>
#include <functional>

#include "../stage/stage.hpp"

namespace sessionblocks::limits {
namespace {

using stage::Stage;

constexpr std::uint64_t kQuota = std::uint64_t{1} << 20U;

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

std::string filler(int number) {
  return "filler" + std::to_string(number);
}

// Entries of this size until nothing more goes in; how many there are.
int fill(Block& block, std::size_t bytes) {
  int count = 0;
  Errc end{};
  while (end == Errc{}) {
    end = code(block.put(filler(count), std::string(bytes, 'f')));
    if (end == Errc{}) ++count;
  }
  REQUIRE(end == Errc::out_of_memory);
  return count;
}

struct Entry {
  std::string text;
  Version version{};
  friend bool operator==(const Entry&, const Entry&) = default;
};

// What is under the key, whatever it is.
Entry entry(const Block& block, const std::string& key) {
  const auto read = block.get<Value>(key);
  if (!read) return {read.error().message(), {}};
  const auto* text = std::get_if<std::string>(&read->value);
  const auto* number = std::get_if<std::int64_t>(&read->value);
  return {text != nullptr ? *text : std::to_string(number != nullptr ? *number : -1),
          read->version};
}

struct Operation {
  const char* name;
  std::function<Errc(Block&)> act;
};

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all = {
      {"put, new key", [](Block& b) { return code(b.put("new", std::string(100, 'n'))); }},
      {"put, new key, long", [](Block& b) { return code(b.put("new", std::string(90'000, 'n'))); }},
      {"put, same size", [](Block& b) { return code(b.put("text", std::string(60, 'n'))); }},
      {"put, larger", [](Block& b) { return code(b.put("text", std::string(3'000, 'n'))); }},
      {"put, long", [](Block& b) { return code(b.put("text", std::string(70'000, 'n'))); }},
      {"put, longer than long",
       [](Block& b) { return code(b.put("long", std::string(90'000, 'n'))); }},
      {"replace", [](Block& b) { return code(b.replace("text", std::string(3'000, 'n'))); }},
      {"compare_and_set",
       [](Block& b) {
         return code(
             b.compare_and_set("text", b.get<Value>("text")->version, std::string(3'000, 'n')));
       }},
      {"append", [](Block& b) { return code(b.append("text", std::string(2'000, 'n'))); }},
      {"append to long", [](Block& b) { return code(b.append("long", std::string(30'000, 'n'))); }},
      {"append, new key", [](Block& b) { return code(b.append("new", std::string(2'000, 'n'))); }},
      {"increment, new key", [](Block& b) { return code(b.increment("new")); }},
      {"increment", [](Block& b) { return code(b.increment("number")); }},
      {"touch",
       [](Block& b) { return code(b.touch("text", Expiry::after(std::chrono::hours(1)))); }},
  };
  return all;
}

// Refusals that were seen; after each, nothing had changed.
int refusals_of(Stage& stage, const Operation& operation, std::size_t filler_bytes) {
  INFO(operation.name << " in a block full of " << filler_bytes);
  stage.create("small", kQuota);
  int refused = 0;
  {
    Session session = stage.attach("main");
    Block block = session.open("small").value();
    REQUIRE(block.put("text", std::string(60, 'o')));
    REQUIRE(block.put("long", std::string(40'000, 'o')));
    REQUIRE(block.put("number", 7));
    int left = fill(block, filler_bytes);
    const std::string keys[] = {"text", "long", "number", "new", filler(0)};
    std::vector<Entry> before;
    for (const auto& key : keys) before.push_back(entry(block, key));
    Errc end{};
    while ((end = operation.act(block)) != Errc{}) {
      REQUIRE(end == Errc::out_of_memory);
      ++refused;
      for (std::size_t i = 0; i < std::size(keys); ++i) {
        REQUIRE(entry(block, keys[i]) == before[i]);
      }
      if (left == 1) continue;
      const Errc erased = code(block.erase(filler(--left)));
      INFO(left);
      REQUIRE(erased == Errc{});
    }
    REQUIRE(entry(block, filler(0)) == before.back());
    REQUIRE(block.size().value() >= static_cast<std::uint64_t>(left) + 3);
    const auto fsck = stage.ctl({"fsck", "small"});
    INFO(fsck.out);
    REQUIRE(fsck.code == 0);
  }
  stage.wait_for_workers(0);
  stage.destroy("small");
  return refused;
}

}  // namespace

TEST_CASE("a full quota refuses inside any operation, and the old value is still there") {
  Stage stage;
  int refused = 0;
  for (const auto& operation : operations()) {
    for (const std::size_t bytes : {std::size_t{40}, std::size_t{700}, std::size_t{7'000}}) {
      refused += refusals_of(stage, operation, bytes);
    }
  }
  CHECK(refused > 100);
  stage.check_in_order();
}

TEST_CASE("an index that cannot grow any more refuses new keys and keeps the others") {
  Stage stage;
  stage.create("small", kQuota);
  Session session = stage.attach("main");
  Block block = session.open("small").value();
  for (int round = 0; round < 2; ++round) {
    int count = 0;
    const auto fill = [&] {
      while (code(block.put("k" + std::to_string(count), count)) == Errc{}) ++count;
    };
    fill();
    // A director that gives back what is outgrown makes room again.
    stage.pause_director();
    fill();
    CHECK(code(block.put("k" + std::to_string(count), count)) == Errc::out_of_memory);
    CHECK(code(block.increment("k" + std::to_string(count))) == Errc::out_of_memory);
    CHECK(block.size().value() == static_cast<std::uint64_t>(count));
    CHECK(count > 2'000);
    for (int i = 0; i < count; ++i) {
      const auto read = block.get<std::int64_t>("k" + std::to_string(i));
      REQUIRE((read && read->value == i));
    }
    REQUIRE(::kill(stage.director_pid(), SIGCONT) == 0);
    stage.check_in_order(1);
    for (int i = 0; i < count; ++i) {
      const Errc erased = code(block.erase("k" + std::to_string(i)));
      INFO(i << " of " << count << " in round " << round);
      REQUIRE(erased == Errc{});
    }
    CHECK(block.size().value() == 0);
  }
}

}  // namespace sessionblocks::limits
