// The demo's plan for exactly-once, tried out: a stand-in for the store dies before and after every
// operation, the worker starts again, and the report must be what an independent program counts.
#include "partition_counter.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>

#include "output_of.hpp"
#include "temporary_folder.hpp"
#include "totals.hpp"

namespace {

using sessionblocks::Bytes;
using sessionblocks::Errc;
using sessionblocks::Key;
using sessionblocks::Result;
using sessionblocks::ValueView;
using sessionblocks::Version;

struct Killed {};

// Counts down to a death. Each operation has two steps, one before and one after its effect.
struct Fate {
  std::int64_t steps_left = -1;  // -1: lives for ever
  void step() {
    if (steps_left == 0) throw Killed{};
    if (steps_left > 0) --steps_left;
  }
};

class FakeBlock {
 public:
  explicit FakeBlock(Fate& fate) : fate_(&fate) {}

  template <typename T>
  Result<sessionblocks::Entry<T>> get(Key key) {
    fate_->step();
    const auto found = entries.find(std::string(key.text()));
    if (found == entries.end()) return sessionblocks::fail(Errc::not_found);
    sessionblocks::Entry<T> entry{{}, Version{found->second.version}, {}};
    const Bytes& bytes = found->second.value;
    if constexpr (std::is_same_v<T, std::int64_t>) {
      std::memcpy(&entry.value, bytes.data(), 8);
    } else if constexpr (std::is_same_v<T, std::string>) {
      entry.value.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    } else {
      entry.value = bytes;
    }
    fate_->step();
    if (after_get) std::exchange(after_get, nullptr)();
    return entry;
  }
  Result<Version> put(Key key, ValueView value) {
    return write(
        key, value, [](bool) { return true; }, Errc::exists);
  }
  Result<Version> add(Key key, ValueView value) {
    return write(
        key, value, [](bool found) { return !found; }, Errc::exists);
  }
  Result<Version> compare_and_set(Key key, Version expected, ValueView value) {
    const auto found = entries.find(std::string(key.text()));
    const bool same = found != entries.end() && Version{found->second.version} == expected;
    return write(
        key, value, [same](bool) { return same; }, Errc::conflict);
  }

  struct Stored {
    std::uint64_t version = 0;
    Bytes value;
  };
  std::map<std::string, Stored> entries;
  std::function<void()> after_get;

 private:
  template <typename May>
  Result<Version> write(Key key, ValueView value, May may, Errc refusal) {
    fate_->step();
    const std::string name(key.text());
    if (!may(entries.contains(name))) return sessionblocks::fail(refusal);
    Stored& stored = entries[name];
    stored.version += 1;
    stored.value.assign(value.bytes().begin(), value.bytes().end());
    fate_->step();
    return Version{stored.version};
  }

  Fate* fate_;
};

struct NoWatch : demo::OperationWatch {
  void before(demo::Operation /*operation*/, std::uint64_t /*line*/) override {}
  void committed() override {}
};

constexpr std::size_t kPartitions = 3;

struct World {
  Fate fate;
  FakeBlock visitors{fate};
  FakeBlock progress{fate};

  World() {
    for (std::size_t partition = 0; partition < kPartitions; ++partition) {
      REQUIRE(visitors.add(demo::numbered(demo::kPartitionPrefix, partition), demo::kFree));
    }
  }

  // One life of the worker. False: it was killed after `steps` steps.
  bool live(const demo::LineIndex& index, std::int64_t steps) {
    fate.steps_left = steps;
    NoWatch watch;
    demo::PartitionCounter<FakeBlock> counter(visitors, progress, "demo/count#1",
                                              {.session_gap_s = 1'800, .lines_per_save = 4}, watch);
    try {
      for (std::size_t partition = 0; partition < kPartitions; ++partition) {
        const auto claimed = counter.claim(partition);
        REQUIRE(claimed);
        if (!*claimed) continue;
        const auto counted = counter.count(partition, index.lines(partition));
        REQUIRE(counted);
      }
    } catch (const Killed&) {
      return false;
    }
    fate.steps_left = -1;
    return true;
  }

  [[nodiscard]] nlohmann::json report() const {
    demo::Totals totals;
    for (const auto& [key, stored] : visitors.entries) REQUIRE(totals.add(key, stored.value));
    REQUIRE(totals.finished_partitions() == kPartitions);
    REQUIRE(totals.is_consistent());
    return totals.report();
  }
};

// Few visitors and pages, so that entries are changed often; sessions, a cut line, a page whose
// name fits no key, and a page whose name is not UTF-8.
std::string small_log() {
  std::ostringstream log;
  for (int line = 0; line < 40; ++line) {
    std::string page = "/p" + std::to_string(line % 4);
    if (line % 11 == 3) page += std::string(2'000, 'x');
    if (line % 13 == 5) page += "\xff";
    log << "10.0.0." << line * 7 % 5 << " - - [17/May/2025:" << 10 + line / 9 << ":00:0"
        << line % 10 << " +0000] \"GET " << page << " HTTP/1.1\" " << (line % 6 == 0 ? 404 : 200)
        << ' ' << line * 100 << " \"-\" \"agent\"\n";
    if (line % 9 == 4) log << "10.0.0." << line % 5 << " - - [17/May\n";
  }
  return log.str();
}

nlohmann::json counted_apart(const std::string& log) {
  const TemporaryFolder folder;
  const std::string path = folder.path() / "log";
  std::ofstream(path, std::ios::binary) << log;
  return nlohmann::json::parse(output_of(DEMO_REFERENCE " " + path));
}

}  // namespace

TEST_CASE("a worker that nobody kills counts what the reference counts") {
  const std::string log = small_log();
  const demo::LineIndex index(log, kPartitions);
  World world;
  REQUIRE(world.live(index, -1));
  CHECK(world.report() == counted_apart(log));
}

TEST_CASE("a worker killed at any step and started again counts exactly") {
  const std::string log = small_log();
  const demo::LineIndex index(log, kPartitions);
  const nlohmann::json expected = counted_apart(log);
  std::int64_t deaths = 0;
  for (;; ++deaths) {
    World world;
    if (world.live(index, deaths)) break;
    REQUIRE(world.live(index, -1));
    INFO("killed after " << deaths << " steps");
    REQUIRE(world.report() == expected);
  }
  CHECK(deaths > 200);
}

TEST_CASE("a worker killed again and again, soon after each start, counts exactly") {
  const std::string log = small_log();
  const demo::LineIndex index(log, kPartitions);
  const nlohmann::json expected = counted_apart(log);
  // A life must reach the next save to get ahead, which takes fewer than 60 steps here.
  for (std::int64_t life = 60; life < 90; ++life) {
    World world;
    int lives = 1;
    while (!world.live(index, life) && lives < 1'000) ++lives;
    INFO("lives of " << life << " steps");
    REQUIRE(lives > 3);
    REQUIRE(world.report() == expected);
  }
}

TEST_CASE("of two slots that claim one partition one gets it") {
  World world;
  NoWatch watch;
  demo::PartitionCounter<FakeBlock> first(world.visitors, world.progress, "demo/count#1", {},
                                          watch);
  demo::PartitionCounter<FakeBlock> second(world.visitors, world.progress, "demo/count#2", {},
                                           watch);
  bool second_got_it = false;
  world.visitors.after_get = [&] { second_got_it = second.claim(0).value_or(false); };
  const auto first_got_it = first.claim(0);
  REQUIRE(first_got_it);
  CHECK(second_got_it);
  CHECK_FALSE(*first_got_it);
  CHECK(second.claim(0).value_or(false));
}

TEST_CASE("a second writer on a claimed partition is an error, never a wrong count") {
  const std::string log = small_log();
  const demo::LineIndex index(log, kPartitions);
  World world;
  NoWatch watch;
  demo::PartitionCounter<FakeBlock> counter(world.visitors, world.progress, "demo/count#1", {},
                                            watch);
  REQUIRE(counter.claim(0));
  REQUIRE(counter.claim(1));
  REQUIRE(counter.count(0, index.lines(0)));
  CHECK(counter.count(0, index.lines(0)).error() == Errc::conflict);
  world.visitors.entries["partition:1"].version += 1;
  world.visitors.after_get = nullptr;
  REQUIRE(world.visitors.put("partition:1", std::string_view("claimed by demo/count#2")));
  CHECK(counter.count(1, index.lines(1)).error() == Errc::conflict);
}
