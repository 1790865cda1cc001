// Rollback, swap and fork, with a writer or the director stopped or killed at its instructions.
#include "generations.hpp"
#include "stepper.hpp"

#include <catch2/catch.hpp>
#include <cstdio>

using namespace sessionblocks;
using namespace sessionblocks::crash;

namespace {

void report(const std::string& what, const Tally& tally) {
  std::printf("%-64s %8lu instructions %6lu checked %3zu violations\n", what.c_str(),
              static_cast<unsigned long>(tally.instructions),
              static_cast<unsigned long>(tally.cases), tally.violations.count());
  std::fflush(stdout);
  INFO(what << "\n" << tally.violations.text());
  CHECK(tally.violations.count() == 0);
  CHECK(tally.cases > 0);
}

}  // namespace

TEST_CASE("what a stopped or killed writer did is in the next generation as a whole, or not") {
  watchdog();
  for (const char* name : {"put, insert", "put, overwrite of another's node", "erase", "append"}) {
    for (const Purpose purpose : kPurposes) {
      const GenerationTally tally =
          check_beside_writer(purpose, path_named(name), 23 * kEachInstruction);
      const std::string what = word(purpose) + std::string(" in: ") + name;
      report(what + ", stopped", tally.stops);
      report(what + ", killed", tally.kills);
    }
  }
}

TEST_CASE("the present generation counts, and is whole, until the next one is published") {
  watchdog();
  for (const Purpose purpose : kPurposes) {
    const GenerationTally tally = check_maker(purpose, 4'999 * kEachInstruction);
    const std::string what = word(purpose);
    report(what + ", at every instruction", tally.images);
    report(what + ", stopped while others write", tally.stops);
    report(what + ", killed and begun anew", tally.kills);
  }
}
