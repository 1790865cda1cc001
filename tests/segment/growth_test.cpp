#include "core/crash_point.hpp"
#include "fixture.hpp"
#include "segment/fsck.hpp"

#include <utility>

using namespace sessionblocks;
using namespace sessionblocks::segment;
using namespace sessionblocks::segment::test;

namespace {

// What others do while a helper sleeps between reading the key of a frozen node and its copy.
struct Meanwhile {
  Thread* others = nullptr;
  std::string key;
};
Meanwhile meanwhile;

// The key's growth ends, the key is erased, and the next growth has dropped its tombstone.
void erase_and_grow_again(const char* label) {
  if (std::string_view(label) != "growth.key_read" || meanwhile.others == nullptr) return;
  Thread& others = *std::exchange(meanwhile.others, nullptr);
  Growth& growth = others.writer.growth();
  if (!growth.finish() || others.erase(meanwhile.key).code != Errc{} || !growth.begin_now()) {
    std::abort();
  }
  Tables tables;
  if (!load_tables(others.worker.system.memory, tables) ||
      !growth.bring(tables, key_of(meanwhile.key))) {
    std::abort();
  }
}

}  // namespace

#if defined(SESSIONBLOCKS_CRASH_POINTS)
TEST_CASE("a helper that slept through a growth puts no erased key back") {
  System system;
  Worker worker(system, 1);
  Thread helper(worker, 0);
  Thread others(worker, 1);
  // Not among the slots that a writer moves in passing.
  const auto slot_of = [](const std::string& key) { return key_of(key).hash & 63U; };
  std::string key = "k";
  while (slot_of(key) < 32 || slot_of(key) > 60) key += "k";
  REQUIRE(others.put(key, "value").code == Errc{});
  REQUIRE(helper.writer.growth().begin_now());
  meanwhile = {&others, key};
  crash_hook() = erase_and_grow_again;
  (void)helper.writer.growth().finish();
  crash_hook() = nullptr;
  REQUIRE(meanwhile.others == nullptr);
  REQUIRE(others.writer.growth().finish());
  CHECK_FALSE(get(system.memory, key));
  helper.writer.leave();
  others.writer.leave();
  for (const Finding& finding : fsck(system.memory)) {
    FAIL_CHECK(name(finding.invariant) << ": " << finding.text);
  }
}
#endif

TEST_CASE("a table does not fill up before what a dead mover left has moved into it") {
  System system;
  Worker worker(system, 1);
  Thread thread(worker, 0);
  auto& header = system.memory.header();
  const auto old = [&] { return layout::TableWord{header.old_table.load()}; };
  int next = 0;
  while (!old().is_table()) REQUIRE(thread.put("k" + std::to_string(next++), "v").code == Errc{});
  // As if a mover had taken all batches that are left, and had been killed before it moved one.
  const layout::TableWord growing = old();
  header.move_cursor.store((std::uint64_t{growing.id()} << 32U) | growing.slots() / 16);
  // A director that sees to the table after this one, and does not come by again.
  REQUIRE(thread.writer.growth().prepare_next(header.table.load() >> 26U & 63U));
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = "passing " + std::to_string(i);
    REQUIRE(thread.put(key, "v").code == Errc{});
    REQUIRE(thread.erase(key).code == Errc{});
  }
  CHECK(layout::TableWord{header.table.load()}.id() > growing.id() + 2);
  for (int i = 0; i < next; ++i) {
    REQUIRE(get(system.memory, "k" + std::to_string(i)).has_value());
  }
  thread.writer.leave();
  CHECK(fsck(system.memory).empty());
}
