// Ten seconds without a director, dead or stopped: nobody waits, and nothing is lost.
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <thread>

#include "suites.hpp"

namespace sessionblocks::deaths {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
constexpr std::uint64_t kPerSecond = 10'000;

// How late answers were, against when their operations were due.
struct Lateness {
  std::array<std::uint64_t, kLateBuckets> counts{};
  std::uint64_t answers = 0;

  // The upper bound, in microseconds, below which this part of the answers came.
  [[nodiscard]] std::uint64_t quantile_us(double part) const {
    std::uint64_t all = 0;
    for (const std::uint64_t count : counts) all += count;
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts.size(); ++bucket) {
      seen += counts[bucket];
      if (static_cast<double>(seen) >= part * static_cast<double>(all)) {
        return std::uint64_t{1} << bucket;
      }
    }
    return 0;
  }
};

Lateness lateness_of(Scene& scene) {
  Lateness sum;
  for (const Life* life : scene.living()) {
    for (std::size_t i = 0; i < kLateBuckets; ++i) sum.counts[i] += life->late[i].load();
    sum.answers += life->answered.load();
  }
  return sum;
}

Lateness operator-(Lateness later, const Lateness& earlier) {
  for (std::size_t i = 0; i < kLateBuckets; ++i) later.counts[i] -= earlier.counts[i];
  later.answers -= earlier.answers;
  return later;
}

struct Window {
  Lateness lateness;
  double seconds = 0;
};

Window watch(Scene& scene, std::chrono::milliseconds length) {
  const Lateness before = lateness_of(scene);
  const auto begun = Clock::now();
  std::this_thread::sleep_for(length);
  Window window;
  window.lateness = lateness_of(scene) - before;
  window.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  return window;
}

// A ring that is full would stop a worker for the rest of the window.
void check_nobody_waited(const char* what, const Scene&, std::size_t workers, const Window& before,
                         const Window& during) {
  const double due = during.seconds * static_cast<double>(kPerSecond * workers);
  std::printf(
      "%s: %.1f s, %llu of %.0f operations due; late by p50 %llu us, p99 %llu us, all %llu us; "
      "before %llu, %llu, %llu us\n",
      what, during.seconds, static_cast<unsigned long long>(during.lateness.answers), due,
      static_cast<unsigned long long>(during.lateness.quantile_us(0.5)),
      static_cast<unsigned long long>(during.lateness.quantile_us(0.99)),
      static_cast<unsigned long long>(during.lateness.quantile_us(1)),
      static_cast<unsigned long long>(before.lateness.quantile_us(0.5)),
      static_cast<unsigned long long>(before.lateness.quantile_us(0.99)),
      static_cast<unsigned long long>(before.lateness.quantile_us(1)));
  CHECK(static_cast<double>(during.lateness.answers) > 0.9 * due);
}

TEST_CASE("ten seconds without a director, dead or stopped, keep nobody waiting") {
  Scene dead(kDefaultRings);
  Scene stopped(kDefaultRings);
  for (Scene* scene : {&dead, &stopped}) {
    scene->board().per_second.store(kPerSecond);
    REQUIRE(scene->start_director());
    scene->await_work(3);
  }
  const Window before = watch(dead, 1s);
  dead.kill_director();
  stopped.pause_director();
  Window of_stopped;
  std::thread other([&] { of_stopped = watch(stopped, 10s); });
  const Window of_dead = watch(dead, 10s);
  other.join();
  REQUIRE(dead.start_director());
  stopped.signal_director(SIGCONT);
  check_nobody_waited("dead", dead, 3, before, of_dead);
  check_nobody_waited("stopped", stopped, 3, before, of_stopped);
  for (Scene* scene : {&dead, &stopped}) {
    scene->await_progress();
    scene->check_at_rest();
    scene->stop_and_check_nothing_left();
  }
}

}  // namespace
}  // namespace sessionblocks::deaths
