// A block whose pages the director empties while a writer stands at any of its instructions: what
// had committed is in the log once, whether the writer dies there or goes on.
#include "campaign.hpp"
#include "segment/last_record.hpp"
#include "segment/settle.hpp"
#include "stepper.hpp"

#include <catch2/catch.hpp>
#include <cstdio>

using namespace sessionblocks;
using namespace sessionblocks::crash;

namespace {

constexpr auto kWiped = BlockState::wiped;

void empty_at(const Path& path, const Truth& truth, Scene& scene, Stepper rest, bool dies,
              std::uint64_t stop, Violations& violations) {
  const IntentSource sources[] = {{&scene.victim.memory, test::kOpen}};
  scene.system.life().store(layout::LifeWord::make(BlockId{7}, Generation{1}, kWiped).word);
  if (!settle(scene.system.memory, sources)) return violations.add("not settled", stop);
  const bool has_committed = entries_of(scene.system.memory) != truth.before;
  remember_committed(scene.victim.memory, scene.victim.id, scene.system.memory, test::kOpen);
  std::memset(scene.system.block.data(), 0, scene.system.block.span().size());
  if (dies) {
    rest.kill();
    (void)complete_remembered(scene.victim.memory, test::kOpen);
    (void)complete_remembered(scene.victim.memory, test::kOpen);  // as the next director might
  } else if (!rest.finish()) {
    violations.add("the writer crashed", stop);
  }
  const Recorded recorded = records_in(scene.victim.memory, truth.ring_start, path.op);
  if (recorded.succeeded > (has_committed ? 1U : 0U)) {
    violations.add(has_committed ? "recorded twice" : "recorded, and did not happen", stop);
  }
  if (has_committed && recorded.succeeded == 0) violations.add("it happened, and no record", stop);
}

}  // namespace

TEST_CASE("a block emptied at any instruction of a writer loses no record of what it did") {
  watchdog();
  for (const char* name : {"put, insert", "put, overwrite of another's node", "erase", "increment",
                           "put, overwrite of a run by a chunk", "evict what has expired"}) {
    const Path& path = path_named(name);
    Scene scene(path.block_bytes);
    const Truth truth = learn(path, scene);
    REQUIRE(truth.before != truth.after);
    Violations violations;
    std::uint64_t stops = 0;
    Stepper victim([&] { path.act(scene); });
    // An eviction looks at every slot first, which changes nothing.
    const std::uint64_t stride = path.op == Op::evict ? 5 : 1;
    while (victim.step(stride * kEachInstruction)) {
      const Snapshot here(scene);
      const auto life = scene.system.life().load();
      for (const bool dies : {false, true}) {
        ++stops;
        empty_at(path, truth, scene, victim.clone(), dies, victim.steps(), violations);
        here.restore(scene);
        scene.system.life().store(life);
      }
    }
    std::printf("emptied in: %-48s %6lu stops %3zu violations\n", name,
                static_cast<unsigned long>(stops), violations.count());
    std::fflush(stdout);
    INFO(name << "\n" << violations.text());
    CHECK(violations.count() == 0);
  }
}
