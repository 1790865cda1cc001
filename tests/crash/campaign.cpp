#include "campaign.hpp"

#include "shadow.hpp"

#include <algorithm>
#include <cstdio>

namespace sessionblocks::crash {

Tally check_images(const Path& path) {
  Tally tally;
  Scene scene(path.block_bytes);
  const Truth truth = learn(path, scene);
  ImageCheck check(path, truth, scene);
  Image image(scene);
  Shadow shadow(scene.ranges());
  Stepper victim([&] { path.act(scene); });
  while (victim.step()) {
    if (!shadow.changed_anew(victim)) continue;
    ++tally.cases;
    image.copy_from(scene);
    check(image, victim.steps(), tally.violations);
  }
  tally.instructions = victim.steps();
  return tally;
}

namespace {

// The instructions of a path that change a shared byte.
std::vector<std::uint64_t> changes_of(const Path& path, Scene& scene) {
  std::vector<std::uint64_t> changes;
  const Snapshot snapshot(scene);
  Shadow shadow(scene.ranges());
  Stepper victim([&] { path.act(scene); });
  while (victim.step()) {
    if (shadow.changed_anew(victim)) changes.push_back(victim.steps());
  }
  snapshot.restore(scene);
  return changes;
}

}  // namespace

Tally check_recoveries(const Path& path, unsigned images) {
  Tally tally;
  Scene scene(path.block_bytes);
  const Truth truth = learn(path, scene);
  ImageCheck check(path, truth, scene);
  const auto changes = changes_of(path, scene);
  if (changes.empty()) return tally;
  Stepper victim([&] { path.act(scene); });
  Image image(scene);
  Image copy(scene);
  for (unsigned i = 0; i < images; ++i) {
    const std::uint64_t stop = changes[(changes.size() - 1) * i / (images - 1)];
    if (!victim.step(stop - victim.steps())) break;
    image.copy_from(scene);
    Shadow shadow(image.ranges());
    Stepper recovery([&] { (void)image.recover(); });
    while (recovery.step()) {
      if (!shadow.changed()) continue;
      ++tally.cases;
      copy.copy_from(image);
      check(copy, stop * 1'000'000 + recovery.steps(), tally.violations);
    }
    tally.instructions += recovery.steps();
  }
  return tally;
}

// The victim is stepped once; at each stop its twin, which stands where it stands, is killed.
Tally check_kills(const Path& path, std::uint64_t stride) {
  Tally tally;
  Scene scene(path.block_bytes);
  const Truth truth = learn(path, scene);
  ImageCheck check(path, truth, scene);
  Image image(scene);
  Stepper victim([&] { path.act(scene); });
  while (victim.step(stride)) {
    const Snapshot here(scene);
    victim.clone().kill();
    ++tally.cases;
    (void)scene.recover(scene.victim);
    image.copy_from(scene);
    check(image, victim.steps(), tally.violations);
    here.restore(scene);
  }
  tally.instructions = victim.steps();
  return tally;
}

std::size_t print_row(const std::string& name, const Tally& images, const Tally& recoveries,
                      const Tally& stops, const Tally& kills) {
  std::size_t found = 0;
  for (const Tally* tally : {&images, &recoveries, &stops, &kills}) {
    found += tally->violations.count();
    if (tally->violations.count() != 0) std::printf("%s", tally->violations.text().c_str());
  }
  const std::uint64_t instructions = std::max(images.instructions, stops.instructions);
  std::printf("%-64s %12lu %8lu %10lu %8lu %8lu %10zu\n", name.c_str(),
              static_cast<unsigned long>(instructions), static_cast<unsigned long>(images.cases),
              static_cast<unsigned long>(recoveries.cases), static_cast<unsigned long>(stops.cases),
              static_cast<unsigned long>(kills.cases), found);
  std::fflush(stdout);
  return found;
}

}  // namespace sessionblocks::crash
