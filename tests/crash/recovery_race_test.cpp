// A recovery that is stopped before any of its instructions while another worker changes the key
// of the operation that is being recovered. Then the recovery goes on to its end.
#include "checks.hpp"
#include "shadow.hpp"

#include <catch2/catch.hpp>
#include <cstdio>

using namespace sessionblocks;
using namespace sessionblocks::crash;

namespace {

// Steps the victim until its value shows, and leaves it there.
void run_until_committed(Scene& scene, const Path& path, const Truth& truth) {
  Shadow shadow(scene.ranges());
  Stepper victim([&] { path.act(scene); });
  while (victim.step()) {
    if (shadow.changed_anew(victim) && entries_of(scene.system.memory) == truth.after) return;
  }
  FAIL("the victim ended before its value showed");
}

}  // namespace

TEST_CASE("an operation that is overwritten while it is recovered is completed all the same") {
  watchdog();
  for (const char* name : {"put, overwrite of another's node", "put, insert", "erase"}) {
    const Path& path = path_named(name);
    Scene scene;
    const Truth truth = learn(path, scene);
    Worker worker(4);
    run_until_committed(scene, path, truth);
    Violations violations;
    std::uint64_t stops = 0;
    Stepper recovery([&] { (void)scene.recover(scene.victim); });
    while (recovery.step(kEachInstruction)) {
      ++stops;
      const Snapshot here(scene);
      Stepper rest = recovery.clone();
      worker.reset();
      Actor intruder = scene.actor(worker);
      if (intruder.put(path.key, "intruder").code != Errc{}) violations.add("not written", stops);
      intruder.writer.heap().hazard().leave();
      if (!rest.finish()) violations.add("recovery crashed", stops);
      if (entries_of(scene.system.memory)[path.key].bytes != "intruder") {
        violations.add("the last write does not show", stops);
      }
      if (records_in(scene.victim.memory, truth.ring_start, path.op).succeeded != 1) {
        violations.add("the operation that had shown has no record", stops);
      }
      check_fsck(scene.system.memory, stops, violations);
      here.restore(scene);
    }
    std::printf("recovery of: %-40s %5lu stops %3zu violations\n", name,
                static_cast<unsigned long>(stops), violations.count());
    INFO(name << "\n" << violations.text());
    CHECK(violations.count() == 0);
  }
}

// Trap 6 of the design, which takes two growths: a mover of the first table looked at a frozen slot
// and slept. Others moved it, erased the key, and began the next growth, which dropped the
// tombstone. The mover must not put the node that it remembers into a slot that is still empty.
TEST_CASE("a mover that slept through an erase and the next growth puts nothing back") {
  watchdog();
  const Path& path = path_named("finish a growth");
  Scene scene(path.block_bytes * 2);
  path.setup(scene);
  const std::string key = "key400";
  REQUIRE(entries_of(scene.system.memory).count(key) == 1);
  Worker worker(4);
  Violations violations;
  std::uint64_t stops = 0;
  Shadow shadow(scene.ranges());
  Stepper victim([&] { (void)scene.self.writer.growth().finish(); });
  // From the freezing of the key's slot to its move: that is where the mover remembers the node.
  const auto is_frozen = [&] {
    const auto table =
        scene.system.memory.table(layout::TableWord{scene.system.memory.header().old_table.load()});
    if (!table) return false;
    for (std::uint64_t i = 0; i <= table->mask; ++i) {
      const layout::SlotRef ref{table->slots[i].low.load()};
      if (ref.mark() != layout::Mark::frozen) continue;
      const auto* node = reinterpret_cast<const char*>(scene.system.memory.node(ref.offset()));
      const auto shape =
          layout::Shape::unpack(scene.system.memory.node(ref.offset())->shape.load());
      if (std::string(node + shape.key_at(), shape.key_bytes) == key) return true;
    }
    return false;
  };
  bool frozen = false;
  while (victim.step()) {
    if (shadow.changed()) {
      const bool now = is_frozen();
      if (frozen && !now) break;
      frozen = now;
    }
    if (!frozen) continue;
    ++stops;
    const Snapshot here(scene);
    Stepper rest = victim.clone();
    worker.reset();
    {
      Actor intruder = scene.actor(worker);
      Growth& growth = intruder.writer.growth();
      const bool done = growth.finish() && intruder.erase(key).code == Errc{} &&
                        growth.begin_now() && intruder.erase(key).code == Errc::not_found;
      if (!done) violations.add("the intruder could not do its part", stops);
      if (!rest.finish()) violations.add("the mover crashed", stops);
      if (!growth.finish()) violations.add("the next growth cannot be finished", stops);
      if (entries_of(scene.system.memory).count(key) != 0) {
        violations.add("an erased key is back", stops);
      }
      check_fsck(scene.system.memory, stops, violations);
      intruder.writer.heap().hazard().leave();
    }
    here.restore(scene);
  }
  std::printf("mover asleep: %5lu stops %3zu violations\n", static_cast<unsigned long>(stops),
              violations.count());
  INFO(violations.text());
  CHECK(violations.count() == 0);
  CHECK(stops > 10);
}
