// The next generation of a block shows what the present one shows, at each of its checkpoints.
#include "segment/rebuild.hpp"
#include "fixture.hpp"
#include "segment/checkpoints.hpp"
#include "segment/fsck.hpp"
#include "segment/maintenance.hpp"

#include <map>
#include <random>

using namespace sessionblocks;
using namespace sessionblocks::segment;
using namespace sessionblocks::segment::test;

namespace {

struct Shown {
  std::string value;
  std::uint64_t version = 0;
  friend bool operator==(const Shown&, const Shown&) = default;
};
using Entries = std::map<std::string, Shown>;

Entries entries_at(const BlockMemory& memory, std::uint64_t instant) {
  Entries entries;
  std::optional<Shown> found;
  const Moment moments[] = {{instant, 0}};
  REQUIRE(scan_at(
      memory, nullptr, moments, [&] { found.reset(); },
      [&](std::size_t, const Version& version) {
        if (!is_live(version, moments[0])) return;
        const auto* const value =
            reinterpret_cast<const char*>(version.node) + version.shape.value_at();
        found = Shown{{value, version.shape.value_bytes}, version.node->version.load()};
      },
      [&](std::span<const std::byte> key) {
        const std::string text(reinterpret_cast<const char*>(key.data()), key.size());
        if (found) CHECK(entries.emplace(text, *found).second);
        return true;
      }));
  return entries;
}

struct Fixture {
  void change(int times) {
    for (int i = 0; i < times; ++i) {
      const std::string key = "k" + std::to_string(random() % 3'000);
      if (random() % 3 == 0) {
        (void)thread.erase(key);
      } else {
        const std::size_t bytes = random() % 50 == 0 ? 20'000 : random() % 100;
        REQUIRE(thread.put(key, std::string(bytes, static_cast<char>('a' + random() % 26))).code ==
                Errc{});
      }
    }
  }
  std::uint64_t pin() {
    const IntentSource writers[] = {{&worker.memory, kOpen}};
    return maintenance.checkpoints().take(writers).value();
  }
  void check_sound() {
    for (const Finding& finding : fsck(next.memory)) {
      FAIL_CHECK(name(finding.invariant) << ": " << finding.text);
    }
  }

  std::mt19937 random{11};
  System system{32 << 20};
  Worker worker{system, 1};
  Worker director{system, 2};
  Thread thread{worker, 0};
  Maintenance maintenance{{&system.memory, &system.readers_segment(), &director.memory.lane(0), 0,
                           owner_of(director.worker_id, 0)}};
  System next{32 << 20};
  Worker writer{next, 3};
};

}  // namespace

TEST_CASE_METHOD(Fixture,
                 "the next generation shows every checkpoint and now, under the same instants") {
  std::vector<std::uint64_t> pins;
  for (int i = 0; i < 4; ++i) {
    change(2'000);
    pins.push_back(pin());
  }
  change(2'000);
  {
    Loader loader({&next.memory, &next.readers_segment(), owner_of(writer.worker_id, 1), {}});
    loader.expect(3'000);
    Rebuild rebuild(system.memory, loader);
    for (const std::uint64_t instant : pins)
      REQUIRE(rebuild.advance_and_pin({instant, 0}) == Errc{});
    REQUIRE(rebuild.advance({kNow, 0}) == Errc{});
    rebuild.end();
  }
  pins.push_back(kNow);
  for (const std::uint64_t instant : pins) {
    INFO("instant " << instant);
    CHECK(entries_at(next.memory, instant) == entries_at(system.memory, instant));
    CHECK(entries_at(next.memory, instant).size() > 500);
  }
  check_sound();
  // What comes after has instants and versions of its own.
  CHECK(next.memory.header().snapshot_clock.load() > system.memory.header().snapshot_clock.load());
  std::uint64_t highest = 0;
  for (const auto& [key, shown] : entries_at(system.memory, kNow)) {
    highest = std::max(highest, shown.version);
  }
  Thread later(writer, 0);
  CHECK(later.put("a new one", "v").version > highest);
  later.writer.leave();
  check_sound();
}

// Where an earlier checkpoint shows a key, its end is a tombstone in the next generation too.
TEST_CASE_METHOD(Fixture, "a key that came and went since gets no version again that it had") {
  REQUIRE(thread.put("gone", "first").code == Errc{});
  REQUIRE(thread.put("back", "first").code == Errc{});
  const std::uint64_t shown = pin();
  REQUIRE(thread.erase("gone").code == Errc{});
  REQUIRE(thread.erase("back").code == Errc{});
  const std::uint64_t then = pin();
  REQUIRE(thread.put("gone", "second").code == Errc{});
  const std::uint64_t last_of_gone = thread.erase("gone").version;
  const std::uint64_t last_of_back = thread.put("back", "second").version;
  const bool changes_back = GENERATE(true, false);
  {
    Loader loader({&next.memory, &next.readers_segment(), owner_of(writer.worker_id, 1), {}});
    Rebuild rebuild(system.memory, loader);
    REQUIRE(rebuild.advance_and_pin({shown, 0}) == Errc{});
    REQUIRE(rebuild.advance_and_pin({then, 0}) == Errc{});
    const Moment now{kNow, 0};
    REQUIRE((changes_back ? rebuild.change_back_from(now) : rebuild.advance(now)) == Errc{});
    rebuild.end();
  }
  CHECK(entries_at(next.memory, shown) == entries_at(system.memory, shown));
  CHECK(entries_at(next.memory, kNow).size() == (changes_back ? 0 : 1));
  check_sound();
  Thread later(writer, 0);
  CHECK(later.put("gone", "third").version > last_of_gone);
  CHECK(later.put("back", "third").version > last_of_back);
  later.writer.leave();
}

TEST_CASE_METHOD(Fixture, "changing back gives every entry that differs a version that none had") {
  change(3'000);
  const std::uint64_t then = pin();
  change(1'000);
  const Entries before = entries_at(system.memory, then);
  const Entries since = entries_at(system.memory, kNow);
  std::uint64_t highest = 0;
  for (const auto& entries : {before, since}) {
    for (const auto& [key, shown] : entries) highest = std::max(highest, shown.version);
  }
  {
    Loader loader({&next.memory, &next.readers_segment(), owner_of(writer.worker_id, 1), {}});
    Rebuild rebuild(system.memory, loader);
    REQUIRE(rebuild.advance_and_pin({then, 0}) == Errc{});
    REQUIRE(rebuild.change_back_from({kNow, 0}) == Errc{});
    rebuild.end();
  }
  CHECK(entries_at(next.memory, then) == before);
  const Entries after = entries_at(next.memory, kNow);
  CHECK(after.size() == before.size());
  std::size_t changed = 0;
  for (const auto& [key, shown] : after) {
    INFO(key);
    REQUIRE(before.count(key) == 1);
    CHECK(shown.value == before.at(key).value);
    const bool is_same = since.count(key) == 1 && since.at(key) == before.at(key);
    CHECK((is_same ? shown.version == before.at(key).version : shown.version > highest));
    changed += is_same ? 0 : 1;
  }
  CHECK(changed > 100);
  check_sound();
  Thread later(writer, 0);
  for (const auto& [key, shown] : since) {
    if (after.count(key) == 0) CHECK(later.put(key, "v").version > highest);
  }
  later.writer.leave();
}
