// The director is killed at moments of no choice: while it serves, and while it starts.
#include <signal.h>

#include <cstdlib>
#include <random>
#include <thread>

#include "churn.hpp"
#include "suites.hpp"

namespace sessionblocks::deaths {
namespace {

using std::chrono::microseconds;

// SESSIONBLOCKS_DEATHS_KILLS asks for a longer run.
unsigned kills() {
  const char* const asked = std::getenv("SESSIONBLOCKS_DEATHS_KILLS");
  return asked != nullptr ? static_cast<unsigned>(std::atoi(asked)) : 60;
}

TEST_CASE("a director killed at any moment is followed by one that knows everybody") {
  Scene scene(kService);
  scene.board().per_second.store(kHeavyLoad);
  REQUIRE(scene.start_director());
  scene.await_work(4);
  Churn churn(scene);
  std::mt19937_64 random(std::random_device{}());
  unsigned round = 0;
  const unsigned all = kills();
  for (unsigned killed = 1; killed <= all; ++killed) {
    ::alarm(kWatchdogSeconds);
    std::thread killer([pid = scene.director_pid(), after = microseconds(random() % 60'000)] {
      std::this_thread::sleep_for(after);
      ::kill(pid, SIGKILL);
    });
    while (scene.is_directed()) churn.run(++round);
    killer.join();
    REQUIRE(scene.await_director());
    // Every third time the next one too, half way through what it begins with.
    if (killed % 3 == 0 && !scene.start_director(microseconds(random() % 15'000))) ++killed;
    while (!scene.is_directed()) REQUIRE(scene.start_director());
    churn.check_handles();
    scene.await_progress();
    if (killed % 4 == 0) scene.check_at_rest();
  }
  scene.check_at_rest();
  scene.kill_workers();
  scene.stop_and_check_nothing_left();
}

}  // namespace
}  // namespace sessionblocks::deaths
