// Walks over an index that grows, once or many times, while it is walked.
#include "segment/scan.hpp"
#include "fixture.hpp"
#include "segment/maintenance.hpp"

#include <map>

using namespace sessionblocks;
using namespace sessionblocks::segment;
using namespace sessionblocks::segment::test;

namespace {

struct Fixture {
  Fixture() {
    for (int i = 0; i < 40; ++i) REQUIRE(thread.put("k" + std::to_string(i), "v").code == Errc{});
  }
  [[nodiscard]] layout::TableWord table() const {
    return layout::TableWord{system.memory.header().table.load()};
  }
  // The next table takes over, and the one before it is given back.
  void grow() {
    REQUIRE(thread.writer.growth().begin_now());
    REQUIRE(thread.writer.growth().finish());
    const IntentSource writers[] = {{&worker.memory, kOpen}};
    (void)maintenance.run(writers);
  }
  // How often a walk shows each key; `meanwhile(key)` runs after one was shown.
  template <typename Meanwhile>
  std::map<std::string, int> walk(Meanwhile&& meanwhile) {
    std::map<std::string, int> shown;
    std::string key;
    const auto use = [&](const SlotView& slot) {
      const auto* const bytes = reinterpret_cast<const char*>(slot.node);
      key.assign(bytes + slot.shape.key_at(), slot.shape.key_bytes);
    };
    const auto done = [&] {
      ++shown[key];
      meanwhile(key);
      return true;
    };
    REQUIRE(scan(system.memory, nullptr, use, done));
    return shown;
  }

  System system;
  Worker worker{system, 1};
  Worker director{system, 2};
  Thread thread{worker, 0};
  Maintenance maintenance{{&system.memory, &system.readers_segment(), &director.memory.lane(0), 0,
                           owner_of(director.worker_id, 0)}};
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a walk shows each key once when its table's memory is a later table") {
  // Two keys of one slot: the first sits there, the second behind it.
  const auto slot_of = [&](const std::string& key) {
    return key_of(key).hash & system.memory.table(table())->mask;
  };
  const std::string first = "k1";
  std::string second = "x";
  while (slot_of(second) != slot_of(first)) second += 'x';
  REQUIRE(thread.put(second, "v").code == Errc{});
  bool is_walked = false;
  const auto shown = walk([&](const std::string& key) {
    if (key != first || std::exchange(is_walked, true)) return;
    const layout::TableWord walked = table();
    // A writer brings its own key over first: they change places.
    REQUIRE(thread.writer.growth().begin_now());
    REQUIRE(thread.put(second, "v").code == Errc{});
    REQUIRE(thread.writer.growth().finish());
    for (int i = 0; table().page() != walked.page() || table() == walked; ++i) {
      REQUIRE(i < 100);
      grow();
    }
  });
  CHECK(shown.size() == 41);
  for (const auto& [key, times] : shown) {
    INFO(key);
    CHECK(times == 1);
  }
}

TEST_CASE_METHOD(Fixture, "a walk shows a key that was erased and put again at most once") {
  bool is_walked = false;
  const auto shown = walk([&](const std::string& key) {
    if (key != "k1" || std::exchange(is_walked, true)) return;
    REQUIRE(thread.writer.growth().begin_now());
    REQUIRE(thread.erase(key).code == Errc{});
    grow();
    REQUIRE(thread.put(key, "again").code == Errc{});
  });
  CHECK(shown.size() == 40);
  CHECK(shown.at("k1") == 1);
}
