// Arbitrary intents of a dead worker over an arbitrary block: to recovery, to the settling of what
// is in flight, and to the director's maintenance afterwards.
#include "scene.hpp"
#include "segment/maintenance.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sessionblocks;
  using namespace sessionblocks::fuzz;
  static Scene scene;
  Input input(data, size);
  const auto begin = input.byte();
  scene.restore(static_cast<Image>(begin % kImages));
  if (begin >= 0xF0) scene.fill_block(input);
  for (int steps = 0; begin < 0xF0 && steps < 64 && !input.at_end(); ++steps) {
    if (input.byte() % 8 == 7) {
      scene.write(input);
    } else {
      scene.change(input);
    }
  }
  const auto worker = scene.worker();
  const auto dead = scene.dead();
  const segment::IntentSource sources[] = {{&worker, kOpen}, {&dead, kOpen}};
  (void)segment::settle(scene.memory(), sources);
  const segment::RecoveredBlock block{&scene.memory(), &scene.readers(), kOpen, true};
  (void)segment::recover_in_block(dead, Scene::kDead, block);
  (void)segment::recover_in_block(dead, Scene::kDead, block);  // as after a crash of the first
  segment::Maintenance maintenance(
      {&scene.memory(), &scene.readers(), &worker.lane(2), kOpen, owner_of(Scene::kWorker, 2)});
  for (int turns = 0; turns < 3; ++turns) (void)maintenance.run(sources);
  scene.leave();
  return 0;
}
