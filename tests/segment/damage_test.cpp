// The search for damage in a block that others write to: it finds what readers trip over, and
// nothing in a sound one.
#include "segment/damage.hpp"
#include "fixture.hpp"
#include "segment/maintenance.hpp"

#include <thread>

using namespace sessionblocks;
using namespace sessionblocks::segment;
using namespace sessionblocks::segment::test;

namespace {

using Step = DamageSearch::Step;

Step search(const BlockMemory& memory) {
  DamageSearch search(memory);
  Step step = Step::more;
  for (int turns = 0; turns < 1'000'000 && step == Step::more; ++turns) step = search.look(100);
  CHECK((step == Step::damaged) == !search.what().empty());
  return step;
}

struct Filled {
  Filled() {
    for (int i = 0; i < 300; ++i) {
      REQUIRE(thread.put("key" + std::to_string(i), std::string(static_cast<std::size_t>(i), 'v'))
                  .code == Errc{});
    }
    REQUIRE(thread.erase("key7").code == Errc{});
    REQUIRE(thread.increment("number").code == Errc{});
    (void)lookup(system.memory, key_of("key9"), nullptr, at, [](const SlotView&) {});
  }
  System system;
  Worker worker{system, 1};
  Thread thread{worker, 0};
  SlotView at;  // of an entry
};

}  // namespace

TEST_CASE_METHOD(Filled, "a sound block is sound, also in the middle of a growth") {
  CHECK(search(system.memory) == Step::sound);
  REQUIRE(thread.writer.growth().begin_now());
  REQUIRE(thread.put("key1", "moved").code == Errc{});
  CHECK(search(system.memory) == Step::sound);
}

TEST_CASE_METHOD(Filled, "each damage that a reader would trip over is found") {
  auto& header = system.memory.header();
  const auto damage = GENERATE(range(0, 16));
  CAPTURE(damage);
  auto& node = *at.node;
  auto shape = layout::Shape::unpack(node.shape.load());
  if (damage == 0) header.identity.magic ^= 1;
  if (damage == 1) header.identity.segment_bytes *= 2;
  if (damage == 2) header.table.store(0);
  if (damage == 3) header.table.store(layout::TableWord::make(1, 10, 3'000).word);
  if (damage == 4) system.memory.descriptor(0).entry.store(0);
  if (damage == 5) at.slot->low.store(0);
  if (damage == 6) at.slot->low.store(at.ref.with(layout::Mark::frozen).word);
  if (damage == 7) at.slot->low.store(layout::kClosedRef);
  if (damage == 8) at.slot->low.store(at.ref.word + 8);
  if (damage == 9) at.slot->low.store((at.ref.word >> 48U << 48U) | 0xFFFF'FFFF'FFF0U);
  if (damage == 10) node.gen.store(0);
  if (damage == 11) shape.value_bytes = std::uint64_t{1} << 39U;
  if (damage == 12) shape.key_bytes = 0;
  if (damage == 13) shape.type = static_cast<layout::ValueType>(9);
  if (damage == 14) shape.type = layout::ValueType::integer;
  if (damage == 15) node.hash.store(~node.hash.load());
  if (damage >= 11 && damage <= 14) node.shape.store(shape.pack());
  CHECK(search(system.memory) == Step::damaged);
}

TEST_CASE_METHOD(Filled, "a block that is written to and grows meanwhile is never called damaged") {
  std::atomic<bool> ends{false};
  Worker other(system, 2);
  std::thread writing([&] {
    Thread busy(other, 0);
    for (int round = 0; !ends.load(); ++round) {
      const std::string key = "key" + std::to_string(round % 2'000);
      (void)busy.put(key, std::string(static_cast<std::size_t>(round % 700), 'w'));
      if (round % 3 == 0) (void)busy.erase(key);
      if (round % 5'000 == 4'999 && busy.writer.growth().begin_now()) {
        (void)busy.writer.growth().finish();
      }
    }
    busy.writer.leave();
  });
  for (int times = 0; times < 200; ++times) CHECK(search(system.memory) == Step::sound);
  ends.store(true);
  writing.join();
}
