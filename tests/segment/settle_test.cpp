// What settle may change: a slot of a table, and nothing else.
#include "segment/fsck.hpp"
#include "segment/maintenance.hpp"

#include "fixture.hpp"

using namespace sessionblocks;
using namespace sessionblocks::segment;
using namespace sessionblocks::segment::test;

TEST_CASE("an intent that names an outgrown table lets settle change no bytes of others") {
  System system(4 << 20);
  Worker worker(system, 1);
  Worker sleeper(system, 2);
  Worker director(system, 3);
  Thread thread(worker, 0);
  Maintenance maintenance({&system.memory, &system.readers_segment(), &director.memory.lane(0),
                           kOpen, owner_of(director.worker_id, 0)});
  const IntentSource sources[] = {{&worker.memory, kOpen}, {&sleeper.memory, kOpen}};
  // The sleeper has read the table word, and not yet named the table in its intent.
  const std::uint64_t outgrown = system.memory.header().table.load();
  REQUIRE(thread.put("a", "v").code == Errc{});
  REQUIRE(thread.writer.growth().begin_now());
  REQUIRE(thread.writer.growth().finish());
  for (int turn = 0; turn < 3; ++turn) (void)maintenance.run(sources);
  const std::string value(1'900, 'v');
  for (int i = 0; i < 400; ++i) {
    REQUIRE(thread.put("key" + std::to_string(i), value).code == Errc{});
  }
  const auto before =
      std::vector<std::byte>(system.block.span().begin(), system.block.span().end());
  // It wakes, names the table, and sleeps again before it sees that the table is another now.
  layout::Intent& intent = sleeper.memory.lane(0).intent;
  intent.what.store(std::uint64_t{kOpen} << 16U);
  intent.op.store(1);
  intent.table.store(outgrown);
  for (std::uint64_t slot = 0; slot < 1'024; ++slot) {
    intent.slot.store(slot);
    REQUIRE(settle(system.memory, sources));
  }
  const auto after = system.block.span();
  CHECK(std::equal(before.begin(), before.end(), after.begin()));
  CHECK(fsck(system.memory).empty());
  for (int i = 0; i < 400; ++i) {
    const auto got = get(system.memory, "key" + std::to_string(i));
    CHECK((got && got->value == value));
  }
}

TEST_CASE("an outgrown table keeps its memory while an intent names it") {
  System system(4 << 20);
  Worker worker(system, 1);
  Worker sleeper(system, 2);
  Worker director(system, 3);
  Thread thread(worker, 0);
  Maintenance maintenance({&system.memory, &system.readers_segment(), &director.memory.lane(0),
                           kOpen, owner_of(director.worker_id, 0)});
  const IntentSource sources[] = {{&worker.memory, kOpen}, {&sleeper.memory, kOpen}};
  const layout::TableWord outgrown{system.memory.header().table.load()};
  const auto kind = [&] {
    const auto& page = system.memory.descriptor(outgrown.page());
    return layout::PageEntry::unpack(page.entry.load()).kind;
  };
  REQUIRE(thread.put("a", "v").code == Errc{});
  // Asleep before its commit, or before it moves a slot.
  layout::LaneHead& lane = sleeper.memory.lane(0);
  const bool is_mover = GENERATE(false, true);
  CAPTURE(is_mover);
  if (is_mover) {
    lane.side.open.store(kOpen);
    lane.side.table.store(outgrown.word);
    lane.side.kind.store(static_cast<std::uint64_t>(layout::SideKind::move));
  } else {
    lane.intent.what.store(std::uint64_t{kOpen} << 16U);
    lane.intent.table.store(outgrown.word);
    lane.intent.op.store(1);
  }
  REQUIRE(thread.writer.growth().begin_now());
  REQUIRE(thread.writer.growth().finish());
  for (int turn = 0; turn < 3; ++turn) (void)maintenance.run(sources);
  CHECK(kind() == layout::PageKind::table_head);
  lane.intent.done.store(lane.intent.op.load());
  lane.side.kind.store(0);
  for (int turn = 0; turn < 3; ++turn) (void)maintenance.run(sources);
  CHECK(kind() == layout::PageKind::free);
}
