#include "../../bench/peers/histogram.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

using sessionblocks::bench::Histogram;

TEST_CASE("an empty histogram reads as zeros") {
  const auto histogram = std::make_unique<Histogram>();
  CHECK(histogram->count() == 0);
  CHECK(histogram->percentile(0.5) == 0);
  CHECK(histogram->highest() == 0);
}

TEST_CASE("small values are kept exactly") {
  const auto histogram = std::make_unique<Histogram>();
  for (std::uint64_t value = 1; value <= 100; ++value) histogram->record(value);
  CHECK(histogram->percentile(0.5) == 50);
  CHECK(histogram->percentile(0.99) == 99);
  CHECK(histogram->percentile(0.999) == 100);
  CHECK(histogram->percentile(0) == 1);
  CHECK(histogram->percentile(1) == 100);
}

TEST_CASE("a percentile is never below the true one, and at most 0.8 % above") {
  std::mt19937_64 random(7);
  std::vector<std::uint64_t> values;
  const auto histogram = std::make_unique<Histogram>();
  for (int i = 0; i < 100'000; ++i) {
    const auto value = std::uint64_t{1} << (random() % 34);
    values.push_back(value + random() % value);
    histogram->record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double share : {0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * 100'000 - 1e-9)) - 1;
    const auto read = histogram->percentile(share);
    CHECK(read >= values[rank]);
    CHECK(static_cast<double>(read) <= 1.008 * static_cast<double>(values[rank]));
  }
}

TEST_CASE("two histograms add up to that of all values") {
  const auto one = std::make_unique<Histogram>();
  const auto other = std::make_unique<Histogram>();
  for (std::uint64_t value = 1; value <= 10; ++value) one->record(value);
  for (std::uint64_t value = 11; value <= 20; ++value) other->record(value * 1'000);
  one->add(*other);
  CHECK(one->count() == 20);
  CHECK(one->percentile(0.5) == 10);
  CHECK(one->highest() == 20'000);
}

TEST_CASE("a value beyond the last step is counted, and the highest is exact") {
  const auto histogram = std::make_unique<Histogram>();
  histogram->record(~std::uint64_t{0});
  histogram->record(1);
  CHECK(histogram->count() == 2);
  CHECK(histogram->percentile(0.5) == 1);
  CHECK(histogram->highest() == ~std::uint64_t{0});
}
