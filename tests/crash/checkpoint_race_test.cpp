// A checkpoint that is taken while a writer stands at any of its instructions: it shows the entry
// before the operation or after it, and still does when the writer went on, or died.
#include "campaign.hpp"
#include "stepper.hpp"

#include <catch2/catch.hpp>
#include <cstdio>

using namespace sessionblocks;
using namespace sessionblocks::crash;

namespace {

Entries held_by(const Scene& scene, std::uint64_t instant) {
  const std::string prefix = std::to_string(instant) + ":";
  Entries held;
  for (const auto& [key, value] : entries_of(scene.system.memory)) {
    if (key.starts_with(prefix)) held[key.substr(prefix.size())] = value;
  }
  return held;
}

void take_at(const Path& path, const Truth& truth, Scene& scene, Stepper rest, bool dies,
             std::uint64_t stop, Violations& violations) {
  Worker director(5);
  Worker worker(4);
  Actor taker = scene.actor(director);
  Actor later = scene.actor(worker);
  const IntentSource sources[] = {{&scene.victim.memory, test::kOpen},
                                  {&worker.memory, test::kOpen}};
  Checkpoints checkpoints = scene.checkpoints_of(taker);
  const auto instant = checkpoints.take(sources);
  if (!instant) return violations.add("no checkpoint", stop);
  const Entries first = held_by(scene, *instant);
  if (first != truth.before && first != truth.after) {
    violations.add("it shows neither what was before nor what was after", stop);
  }
  if (dies) {
    rest.kill();
    (void)scene.recover(scene.victim);
  } else if (!rest.finish()) {
    violations.add("the writer crashed", stop);
  }
  if (held_by(scene, *instant) != first) violations.add("it changed when the writer went on", stop);
  for (int i = 0; i < 3; ++i)
    (void)later.put(path.key, std::string(90, static_cast<char>('a' + i)));
  (void)later.erase(path.key);
  for (int i = 0; i < 200; ++i) (void)later.put("more" + std::to_string(i % 7), "m");
  if (held_by(scene, *instant) != first) violations.add("it changed afterwards", stop);
  check_fsck(scene.system.memory, stop, violations);
  if (!checkpoints.release(*instant, sources)) violations.add("no release", stop);
  while (checkpoints.trim()) {
  }
  for (const auto& [key, value] : entries_of(scene.system.memory)) {
    if (key.find(':') != std::string::npos) violations.add("it is still there", stop);
  }
  check_fsck(scene.system.memory, stop, violations);
  taker.writer.heap().hazard().leave();
  later.writer.heap().hazard().leave();
}

}  // namespace

TEST_CASE("a checkpoint taken at any instruction of a writer is the state before or after it") {
  watchdog();
  for (const char* name : {"put, insert", "put, overwrite of another's node", "erase", "increment",
                           "put, overwrite of a run by a chunk"}) {
    const Path& path = path_named(name);
    Scene scene(path.block_bytes * 2);
    const Truth truth = learn(path, scene);
    Violations violations;
    std::uint64_t stops = 0;
    Stepper victim([&] { path.act(scene); });
    while (victim.step(3 * kEachInstruction)) {
      const Snapshot here(scene);
      for (const bool dies : {false, true}) {
        ++stops;
        take_at(path, truth, scene, victim.clone(), dies, victim.steps(), violations);
        here.restore(scene);
      }
    }
    std::printf("checkpoint in: %-45s %6lu stops %3zu violations\n", name,
                static_cast<unsigned long>(stops), violations.count());
    std::fflush(stdout);
    INFO(name << "\n" << violations.text());
    CHECK(violations.count() == 0);
  }
}
