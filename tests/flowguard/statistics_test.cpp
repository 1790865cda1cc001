// The statistics of FlowGuard: rates, deviations from the past, samples of keys, leaks.
#include <catch2/catch.hpp>

#include <random>

#include "flowguard/block_watch.hpp"
#include "flowguard/rate.hpp"

using namespace sessionblocks;
using namespace sessionblocks::flowguard;

namespace {

RingCell record(Op op, std::uint64_t key_id, std::uint64_t bytes, Errc outcome = {}) {
  return make_record(1, op, outcome, key_id, 1, bytes, 0);
}

}  // namespace

TEST_CASE("a rate forgets by its time constant, however often it is asked") {
  for (const double step : {0.01, 0.25, 1.0}) {
    Rate rate(1);
    for (double at = 0; at < 10; at += step) rate.add(100 * step, step);
    CHECK(rate.per_s() == Approx(100).epsilon(0.001));
    for (double at = 0; at < 0.9999; at += step) rate.add(0, step);
    CHECK(rate.per_s() == Approx(100 * std::exp(-1.0)).epsilon(0.02));
  }
}

TEST_CASE("what happens between two looks of one instant counts at the next") {
  Rate once(1);
  Rate twice(1);
  for (int look = 0; look < 20; ++look) {
    once.add(100, 1);
    twice.add(60, 0);
    twice.add(40, 1);
  }
  CHECK(twice.per_s() == Approx(once.per_s()));
}

TEST_CASE("a steady rate and a noisy one deviate little from their past, a burst much") {
  std::mt19937_64 random(7);
  for (const double noise : {0.0, 0.3, 0.8}) {
    CAPTURE(noise);
    Baseline baseline;
    std::normal_distribution<double> factor(0, noise);
    double most = 0;
    for (int window = 0; window < 2'000; ++window) {
      baseline.add(10'000 * std::exp2(factor(random)), Baseline::kWindowS);
      most = std::max(most, std::abs(baseline.deviation()));
    }
    CHECK(most < 8);  // the threshold of the rule
    baseline.add(10'000 * 256.0 * std::exp2(noise * 4), Baseline::kWindowS);
    CHECK(baseline.deviation() > 8);
  }
}

TEST_CASE(
    "a baseline says nothing while it learns, and a long burst does not soon become the past") {
  Baseline baseline;
  for (unsigned window = 0; window < Baseline::kLearning; ++window) {
    baseline.add(window % 2 == 0 ? 1 : 100'000, Baseline::kWindowS);
    CHECK(baseline.deviation() == 0);
  }
  Baseline calm;
  for (int window = 0; window < 200; ++window) calm.add(1'000, Baseline::kWindowS);
  for (int window = 0; window < 6; ++window) {
    calm.add(1'000'000, Baseline::kWindowS);
    CHECK(calm.deviation() > 8);
  }
}

TEST_CASE("few keys are counted exactly: what is there, what is stale, what was never read") {
  KeySample sample;
  for (std::uint64_t key = 1; key <= 10; ++key) sample.add(record(Op::put, key, 100), 0);
  sample.add(record(Op::get, 1, 100), 1'000);
  sample.add(record(Op::erase, 2, 0), 1'000);
  sample.add(record(Op::put, 3, 50), 40'000);
  sample.add(record(Op::get, 4, 0, Errc::not_found), 40'000);  // it has expired
  const auto totals = sample.totals(61'000);
  CHECK(totals.live_bytes == 750);    // 1, 5 to 10, and the shorter 3
  CHECK(totals.stale_bytes == 700);   // all but 3
  CHECK(totals.unread_entries == 7);  // all but 1
  sample.add(record(Op::erase, 5, 0, Errc::not_found), 61'000);
  sample.add(record(Op::put, 6, 9'999, Errc::out_of_memory), 61'000);  // was refused
  CHECK(sample.totals(61'000).live_bytes == 650);
}

TEST_CASE("many keys are estimated from a bounded sample") {
  KeySample sample;
  constexpr std::uint64_t kKeys = 200'000;
  for (std::uint64_t key = 1; key <= kKeys; ++key) {
    // As threads number keys: a thread's number, then a counter.
    sample.add(record(Op::put, ((key % 3) << 32U) | key, 100), 0);
  }
  CHECK(sample.totals(0).live_bytes == Approx(kKeys * 100.0).epsilon(0.15));
  for (std::uint64_t key = 1; key <= kKeys / 2; ++key) {
    sample.add(record(Op::erase, ((key % 3) << 32U) | key, 0), 0);
  }
  CHECK(sample.totals(0).live_bytes == Approx(kKeys * 50.0).epsilon(0.15));
}

TEST_CASE("a leak lasts from its first growth until it shrinks or rests") {
  LeakWatch leak;
  std::uint64_t now = 0;
  CHECK(leak.look(0, true, now) == 0);
  for (int step = 1; step <= 100; ++step) {
    now += 10'000;
    CHECK(leak.look(step * 1'000.0, true, now) == static_cast<std::uint64_t>(step - 1) * 10'000);
  }
  // A little less, as estimates err, is no end of it; half is.
  now += 10'000;
  CHECK(leak.look(98'000, true, now) > 900'000);
  now += 10'000;
  CHECK(leak.look(50'000, true, now) == 0);
  now += LeakWatch::kRestMs / 2;
  CHECK(leak.look(51'000, true, now) == LeakWatch::kRestMs / 2);
  now += LeakWatch::kRestMs + 1;
  CHECK(leak.look(51'000, true, now) == 0);
}

TEST_CASE("a leak that is denied growth lasts until somebody clears up") {
  LeakWatch leak;
  std::uint64_t now = 0;
  for (int step = 1; step <= 10; ++step) {
    static_cast<void>(leak.look(step * 1'000.0, true, now += 10'000));
  }
  const std::uint64_t so_far = leak.look(10'000, false, now);
  now += 10 * LeakWatch::kRestMs;
  CHECK(leak.look(10'000, false, now) == so_far + 10 * LeakWatch::kRestMs);
  CHECK(leak.look(9'000, false, now) == 0);
}

TEST_CASE("what grew lately is there for ten seconds, and again when it grows again") {
  Lately number;
  CHECK(number.look(0, 100'000) == 0);
  CHECK(number.look(2, 100'250) == 2);
  CHECK(number.look(2, 100'250 + Lately::kMs - 1) == 2);
  CHECK(number.look(2, 100'250 + Lately::kMs) == 0);
  CHECK(number.look(3, 200'000) == 3);
}
