// Every path through the data plane, killed at any instruction: what recovery makes of it.
#include "campaign.hpp"
#include "generations.hpp"

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

using namespace sessionblocks;
using namespace sessionblocks::crash;

namespace {

void report(const char* what, const Path& path, const Tally& tally) {
  std::printf("%-12s %-56s %8lu instructions %6lu checked %3zu violations\n", what,
              path.name.c_str(), static_cast<unsigned long>(tally.instructions),
              static_cast<unsigned long>(tally.cases), tally.violations.count());
  std::fflush(stdout);
  INFO(path.name << "\n" << tally.violations.text());
  CHECK(tally.violations.count() == 0);
}

TEST_CASE("a victim killed at any instruction leaves what recovery puts right") {
  watchdog();
  for (const Path& path : paths()) {
    const Tally tally = check_images(path);
    report("killed in", path, tally);
    CHECK(tally.cases > 0);
  }
}

// In halves, so that ctest runs them side by side and each stays far from the watchdog.
template <typename Check>
void for_half(std::size_t half, Check&& check) {
  watchdog();
  for (std::size_t i = half; i < paths().size(); i += 2) check(paths()[i]);
}

TEST_CASE("a recovery killed at any instruction is taken over by the next one, even paths") {
  for_half(0, [](const Path& path) { report("recovery of", path, check_recoveries(path, 6)); });
}
TEST_CASE("a recovery killed at any instruction is taken over by the next one, odd paths") {
  for_half(1, [](const Path& path) { report("recovery of", path, check_recoveries(path, 6)); });
}

void report_stops(const Path& path) {
  if (can_be_interfered_with(path)) report("stopped in", path, check_stops(path));
}
TEST_CASE("a victim stopped at any instruction harms nobody, even paths") {
  for_half(0, report_stops);
}
TEST_CASE("a victim stopped at any instruction harms nobody, odd paths") {
  for_half(1, report_stops);
}

TEST_CASE("a real SIGKILL leaves what the images of the single steps show") {
  watchdog();
  for (const char* name :
       {"put, overwrite of another's node", "erase", "increment", "lookup with a hazard"}) {
    const Tally tally = check_kills(path_named(name), 7);
    report("kills in", path_named(name), tally);
    CHECK(tally.cases > 10);
  }
}

// tools/crash_matrix.sh: all of it, a line per path. SESSIONBLOCKS_CRASH_PATH: only that one.
TEST_CASE("the whole matrix", "[.matrix]") {
  watchdog();
  const char* only = std::getenv("SESSIONBLOCKS_CRASH_PATH");
  std::size_t violations = 0;
  std::printf("%-64s %12s %8s %10s %8s %8s %10s\n", "path", "instructions", "images", "recoveries",
              "stops", "kills", "violations");
  for (const Path& path : paths()) {
    if (only != nullptr && path.name != only) continue;
    const Tally images = check_images(path);
    const Tally recoveries = check_recoveries(path, 40);
    const Tally stops = can_be_interfered_with(path) ? check_stops(path) : Tally{};
    // Filling a table takes a hundred thousand instructions of which few differ.
    const Tally kills = check_kills(path, images.instructions > 20'000 ? 97 : 1);
    violations += print_row(path.name, images, recoveries, stops, kills);
  }
  violations += print_generations(only);
  std::printf("violations: %zu\n", violations);
  CHECK(violations == 0);
}

}  // namespace
