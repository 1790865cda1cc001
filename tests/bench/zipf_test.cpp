#include "../../bench/peers/zipf.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace sessionblocks::bench;

namespace {

// Chi-squared over ranks whose expected count is large enough, divided by their number: near 1 when
// the draws follow 1 / rank^alpha, and far above when they do not.
template <typename Generator>
double misfit(const Generator& draw, std::uint64_t items, double alpha) {
  constexpr int kDraws = 400'000;
  std::vector<double> seen(items);
  Random random(11);
  for (int i = 0; i < kDraws; ++i) seen.at(draw(random)) += 1;
  double zeta = 0;
  for (std::uint64_t rank = 1; rank <= items; ++rank) {
    zeta += std::pow(static_cast<double>(rank), -alpha);
  }
  double sum = 0;
  int ranks = 0;
  for (std::uint64_t rank = 1; rank <= items; ++rank) {
    const double expected = kDraws * std::pow(static_cast<double>(rank), -alpha) / zeta;
    if (expected < 20) continue;
    sum += (seen[rank - 1] - expected) * (seen[rank - 1] - expected) / expected;
    ++ranks;
  }
  return sum / ranks;
}

}  // namespace

TEST_CASE("Zipf draws follow 1 / rank^alpha for every alpha of a production cache") {
  for (const double alpha : {0.0, 0.3048, 0.9929, 1.0, 1.0001, 1.2959, 2.6774}) {
    CAPTURE(alpha);
    CHECK(misfit(Zipf(1'000, alpha), 1'000, alpha) < 1.3);
  }
}

TEST_CASE("the measure of fit sees another alpha") {
  CHECK(misfit(Zipf(1'000, 0.9), 1'000, 0.95) > 5);
}

TEST_CASE("YCSB's generator has the first two ranks exactly and the share of the first tenth") {
  constexpr int kDraws = 400'000;
  constexpr std::uint64_t kItems = 1'000;
  const YcsbZipf draw(kItems, 0.99);
  Random random(3);
  std::vector<double> seen(kItems);
  for (int i = 0; i < kDraws; ++i) seen.at(draw(random)) += 1.0 / kDraws;
  double zeta = 0;
  double tenth = 0;
  for (std::uint64_t rank = 1; rank <= kItems; ++rank) {
    zeta += std::pow(static_cast<double>(rank), -0.99);
    if (rank == kItems / 10) tenth = zeta;
  }
  CHECK(seen[0] == Approx(1 / zeta).epsilon(0.02));
  CHECK(seen[1] == Approx(std::pow(2, -0.99) / zeta).epsilon(0.03));
  double first_tenth = 0;
  for (std::uint64_t rank = 0; rank < kItems / 10; ++rank) first_tenth += seen[rank];
  CHECK(first_tenth == Approx(tenth / zeta).epsilon(0.03));  // an approximation between them
}

TEST_CASE("one item is always drawn") {
  Random random(1);
  for (int i = 0; i < 100; ++i) CHECK(Zipf(1, 1.2)(random) == 0);
}
