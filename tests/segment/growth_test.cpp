#include "fixture.hpp"
#include "segment/fsck.hpp"

using namespace sessionblocks;
using namespace sessionblocks::segment;
using namespace sessionblocks::segment::test;

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
