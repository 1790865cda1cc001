// A kill at any instruction: the victim is stepped, and after each instruction that changed a
// shared byte a copy of everything is recovered and checked.
#include "checks.hpp"
#include "shadow.hpp"

#include <catch2/catch.hpp>
#include <cstdio>

using namespace sessionblocks;
using namespace sessionblocks::crash;

TEST_CASE("a victim killed at any instruction leaves what recovery puts right") {
  watchdog();
  for (const Path& path : paths()) {
    Scene scene(path.block_bytes);
    const Truth truth = learn(path, scene);
    Violations violations;
    ImageCheck check(path, truth, scene);
    Image image(scene);
    Shadow shadow(scene.ranges());
    Stepper victim([&] { path.act(scene); });
    unsigned images = 0;
    while (victim.step()) {
      if (!shadow.changed_anew(victim)) continue;
      ++images;
      image.copy_from(scene);
      check(image, victim.steps(), violations);
    }
    std::printf("%-40s %7lu instructions %6u images %3zu violations\n", path.name.c_str(),
                static_cast<unsigned long>(victim.steps()), images, violations.count());
    std::fflush(stdout);
    INFO(path.name << "\n" << violations.text());
    CHECK(violations.count() == 0);
    CHECK(images > 0);
  }
}

TEST_CASE("a recovery killed at any instruction is taken over by the next one") {
  watchdog();
  constexpr unsigned kImages = 6;  // of each path, spread over it
  for (const Path& path : paths()) {
    Scene scene(path.block_bytes);
    const Truth truth = learn(path, scene);
    Violations violations;
    ImageCheck check(path, truth, scene);
    std::vector<std::uint64_t> changes;
    {
      const Snapshot snapshot(scene);
      Shadow shadow(scene.ranges());
      Stepper victim([&] { path.act(scene); });
      while (victim.step()) {
        if (shadow.changed_anew(victim)) changes.push_back(victim.steps());
      }
      snapshot.restore(scene);
    }
    Stepper victim([&] { path.act(scene); });
    Image image(scene);
    Image copy(scene);
    unsigned images = 0;
    for (unsigned i = 0; i < kImages; ++i) {
      const std::uint64_t stop = changes[(changes.size() - 1) * i / (kImages - 1)];
      if (!victim.step(stop - victim.steps())) break;
      image.copy_from(scene);
      Shadow shadow(image.ranges());
      Stepper recovery([&] { (void)image.recover(); });
      while (recovery.step()) {
        if (!shadow.changed()) continue;
        ++images;
        copy.copy_from(image);
        check(copy, stop * 1'000'000 + recovery.steps(), violations);
      }
    }
    std::printf("recovery of: %-40s %6u images %3zu violations\n", path.name.c_str(), images,
                violations.count());
    std::fflush(stdout);
    INFO(path.name << "\n" << violations.text());
    CHECK(violations.count() == 0);
  }
}
