#include "fixture.hpp"
#include "segment/fsck.hpp"
#include "segment/maintenance.hpp"
#include "segment/scan.hpp"

#include <map>
#include <random>
#include <thread>
#include <vector>

using namespace sessionblocks;
using namespace sessionblocks::segment;
using namespace sessionblocks::segment::test;

namespace {

using Entries = std::map<std::string, std::string>;

struct Director {
  Director(System& s, std::vector<Worker*> workers)
      : system(s),
        maintenance({&s.memory, &s.readers_segment(), &own.memory.lane(0), kOpen,
                     owner_of(own.worker_id, 0)}) {
    for (Worker* worker : workers) sources.push_back({&worker->memory, kOpen});
  }
  std::uint64_t take() {
    const auto instant = maintenance.checkpoints().take(sources);
    REQUIRE(instant);
    return *instant;
  }
  void release(std::uint64_t instant) {
    REQUIRE(maintenance.checkpoints().release(instant, sources));
  }
  void rest() {
    while (maintenance.checkpoints().trim()) maintenance.run(sources);
  }

  System& system;
  Worker own{system, 99};
  Maintenance maintenance;
  std::vector<IntentSource> sources;
};

std::optional<std::string> get_at(const BlockMemory& memory, std::string_view key,
                                  std::uint64_t instant, HazardSlot* hazard = nullptr) {
  std::string value;
  bool live = false;
  const Found found = lookup_at(memory, key_of(key), instant, hazard, [&](const Version& version) {
    live = version.shape.type != layout::ValueType::tombstone;
    value.resize(version.shape.value_bytes);
    copy_out(reinterpret_cast<std::byte*>(value.data()),
             reinterpret_cast<const std::byte*>(version.node) + version.shape.value_at(),
             value.size());
  });
  if (found == Found::corrupt) throw std::runtime_error("corrupt");
  if (found == Found::absent || !live) return std::nullopt;
  return value;
}

void check_sound(const System& system, std::uint64_t chained) {
  FsckSummary summary;
  for (const auto& finding : fsck(system.memory, {}, &summary)) {
    FAIL_CHECK(name(finding.invariant) << ": " << finding.text);
  }
  CHECK(summary.chained == chained);
  CHECK(summary.nodes[1] == summary.entries + summary.tombstones + summary.chained);
}

}  // namespace

TEST_CASE("a checkpoint shows each entry as it was, whatever is done to it afterwards") {
  System system;
  Worker worker(system, 1);
  Thread thread(worker, 0);
  Director director(system, {&worker});
  thread.put("changed", "old");
  thread.put("erased", "there");
  thread.put("kept", "same");
  thread.increment("count", 5);
  const std::uint64_t instant = director.take();
  thread.put("changed", "new");
  thread.put("changed", std::string(20'000, 'n'));
  thread.erase("erased");
  thread.put("erased", "back");
  thread.put("late", "new");
  thread.increment("count", 2);
  const auto at = [&](std::string_view key) { return get_at(system.memory, key, instant); };
  CHECK(at("changed") == "old");
  CHECK(at("erased") == "there");
  CHECK(at("kept") == "same");
  CHECK(as_integer(*at("count")) == 5);
  CHECK(!at("late"));
  CHECK(get(system.memory, "changed")->value.size() == 20'000);
  CHECK(get(system.memory, "erased")->value == "back");
  check_sound(system, 3);
  director.release(instant);
  director.rest();
  check_sound(system, 0);
}

TEST_CASE("every checkpoint that is held stays as it was, through growth and reuse") {
  System system(64 << 20);
  Worker worker(system, 1);
  Thread thread(worker, 0);
  Director director(system, {&worker});
  std::mt19937 random(7);
  Entries model;
  std::map<std::uint64_t, Entries> held;
  const auto key_at = [](std::uint64_t i) { return "key" + std::to_string(i); };
  for (int i = 0; i < 60'000; ++i) {
    const std::string key = key_at(random() % (200 + static_cast<unsigned>(i) / 10));
    if (random() % 4 == 0) {
      REQUIRE((thread.erase(key).code == Errc{}) == (model.erase(key) > 0));
    } else {
      const std::string value(random() % 40, static_cast<char>('a' + i % 26));
      REQUIRE(thread.put(key, value).code == Errc{});
      model[key] = value;
    }
    if (i % 1'500 == 0) held[director.take()] = model;
    if (i % 2'000 == 999 && !held.empty()) {
      auto gone = std::next(held.begin(), static_cast<long>(random() % held.size()));
      director.release(gone->first);
      held.erase(gone);
      director.maintenance.run(director.sources);
    }
    if (i % 10'000 != 9'999) continue;
    for (const auto& [instant, entries] : held) {
      for (unsigned k = 0; k < 6'200; ++k) {
        const auto got = get_at(system.memory, key_at(k), instant);
        const auto expected = entries.find(key_at(k));
        REQUIRE(got.has_value() == (expected != entries.end()));
        if (got) REQUIRE(*got == expected->second);
      }
    }
  }
  while (!held.empty()) {
    director.release(held.begin()->first);
    held.erase(held.begin());
  }
  director.rest();
  check_sound(system, 0);
}

TEST_CASE("a checkpoint that is held for long keeps one version, not all that came after") {
  System system;
  Worker worker(system, 1);
  Thread thread(worker, 0);
  Director director(system, {&worker});
  thread.put("key", "first");
  const std::uint64_t held = director.take();
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t brief = director.take();
    thread.put("key", std::to_string(i));
    director.release(brief);
    director.rest();
  }
  CHECK(get_at(system.memory, "key", held) == "first");
  check_sound(system, 1);
}

TEST_CASE("all pins held is an error that names the limit") {
  System system;
  Worker worker(system, 1);
  Director director(system, {&worker});
  for (unsigned i = 0; i < layout::kMaxPins; ++i) (void)director.take();
  const auto refused = director.maintenance.checkpoints().take(director.sources);
  REQUIRE(!refused);
  CHECK(refused.error() == Errc::too_many);
}

// Writers change `a` and then `b` of their own to the same number: at any instant a is b, or one
// ahead. The taker reads both at an instant while writing, growing and trimming go on.
TEST_CASE("checkpoints taken while several threads write are consistent, and stay so") {
  System system(64 << 20);
  Worker worker(system, 1);
  Director director(system, {&worker});
  constexpr unsigned kWriters = 3;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (unsigned lane = 0; lane < kWriters; ++lane) {
    threads.emplace_back([&, lane] {
      Thread thread(worker, lane);
      const std::string own = std::to_string(lane);
      for (unsigned i = 0; !stop; ++i) {
        if (thread.increment("a" + own).code != Errc{}) std::abort();
        if (thread.increment("b" + own).code != Errc{}) std::abort();
        const std::string other = own + "/" + std::to_string(i % 4'000);
        if (thread.put(other, std::string(i % 90, 'x')).code != Errc{}) std::abort();
        if (i % 3 == 0) (void)thread.erase(other);
      }
    });
  }
  HazardSlot hazard(&system.readers_segment(), owner_of(WorkerId{50}, 0));
  std::vector<std::uint64_t> held;
  std::map<std::uint64_t, std::vector<std::int64_t>> first_seen;
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    const std::uint64_t instant = director.take();
    held.push_back(instant);
    for (const std::uint64_t each : held) {
      std::vector<std::int64_t> numbers;
      for (unsigned lane = 0; lane < kWriters; ++lane) {
        for (const char* name : {"a", "b"}) {
          const auto got = get_at(system.memory, name + std::to_string(lane), each, &hazard);
          numbers.push_back(got ? as_integer(*got) : 0);
        }
        const std::int64_t ahead = numbers[lane * 2] - numbers[lane * 2 + 1];
        REQUIRE((ahead == 0 || ahead == 1));
      }
      const auto [seen, is_new] = first_seen.try_emplace(each, numbers);
      REQUIRE(seen->second == numbers);
    }
    if (held.size() > 5) {
      const auto gone = held.begin() + static_cast<long>(random() % held.size());
      director.release(*gone);
      held.erase(gone);
    }
    director.maintenance.run(director.sources);
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  for (const std::uint64_t instant : held) director.release(instant);
  director.rest();
  check_sound(system, 0);
}
