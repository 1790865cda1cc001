// Real kills: SIGKILL after every k-th instruction, recovery in place. k is 7 by default and
// taken from SESSIONBLOCKS_CRASH_STRIDE; tools/crash_matrix.sh runs it with 1.
#include "checks.hpp"
#include "stepper.hpp"

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

using namespace sessionblocks;
using namespace sessionblocks::crash;

TEST_CASE("a real SIGKILL leaves what the images of the single steps show") {
  watchdog();
  const char* text = std::getenv("SESSIONBLOCKS_CRASH_STRIDE");
  const std::uint64_t stride = text != nullptr ? std::strtoull(text, nullptr, 10) : 7;
  REQUIRE(stride > 0);
  for (const char* name :
       {"put, overwrite of another's node", "erase", "increment", "lookup with a hazard"}) {
    const Path& path = path_named(name);
    Scene scene(path.block_bytes);
    const Truth truth = learn(path, scene);
    const Snapshot snapshot(scene);
    ImageCheck check(path, truth, scene);
    Image image(scene);
    Violations violations;
    unsigned kills = 0;
    for (std::uint64_t stop = 1;; stop += stride) {
      {
        Stepper victim([&] { path.act(scene); });
        if (!victim.step(stop)) break;
        victim.kill();
      }
      ++kills;
      (void)scene.recover(scene.victim);
      image.copy_from(scene);
      check(image, stop, violations);
      snapshot.restore(scene);
    }
    std::printf("killed in: %-40s %5u kills %3zu violations\n", name, kills, violations.count());
    std::fflush(stdout);
    INFO(name << "\n" << violations.text());
    CHECK(violations.count() == 0);
    CHECK(kills > 10);
  }
}
