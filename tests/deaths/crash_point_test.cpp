// The director is killed at each of its crash points; the next one goes on, with the same workers.
#include <signal.h>

#include <map>
#include <set>
#include <thread>

#include "block_check.hpp"
#include "churn.hpp"
#include "flowlog/verify.hpp"
#include "suites.hpp"

namespace sessionblocks::deaths {
namespace {

// No director passes it: pins are given back by what control names (checkpoint.keep), and what it
// fills is large enough, or is refused. That none does is checked too.
bool is_workers_own(const std::string& label) {
  return label == "checkpoint.unpinned" || label.starts_with("evict.");
}

// Where a director that fills a block may come by or not, as a writer does: it is armed to die
// there, and need not get there. tests/crash kills a writer at each.
bool is_of_who_fills(const std::string& label) {
  return label == "page.cut" || label == "page.before_adopt" || label == "growth.before_begin" ||
         label == "growth.batch_moved";
}

// Passed only where a writer died at this very point: tests/crash kills there, and recovers.
bool is_left_by_writers(const std::string& label) {
  return label == "growth.half_begun";
}

// Where the director before must have died, for the next one to come by there.
const std::map<std::string, std::string> kPreludes = {{"recovery.trim_bumped", "trim.spliced"},
                                                      {"recovery.before_run", "run.return_won"},
                                                      {"journal.interrupted", "destroy.settled"}};

// Whether a director has died at the armed point; one directs then, and none is armed.
bool has_died(Scene& scene) {
  const bool died = !scene.is_armed() || !scene.disarm();
  scene.go_on();
  return died;
}

// While it adopts what the one before left.
bool die_starting(Scene& scene, const std::string& label) {
  scene.kill_director();
  if (label == "flowlog.cut") scene.tear_log();
  scene.arm(label);
  scene.start_until_directed();
  return has_died(scene);
}

// While it does all it can, or in the first turns of the next one, which finds that half done.
bool die_serving(Scene& scene, Churn& churn, const std::string& label, unsigned& round) {
  const int most = label.starts_with("recovery.") ? 40 : 2;
  const auto prelude = kPreludes.find(label);
  if (prelude == kPreludes.end()) {
    scene.arm(label);
  } else {
    scene.arm(prelude->second, label);
  }
  for (int times = 0; times < most && scene.is_armed(); ++times) {
    churn.run(++round);
    scene.go_on();
  }
  if (scene.is_armed()) {
    scene.kill_director();
    scene.start_until_directed();
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    scene.go_on();
  }
  return has_died(scene);
}

void check_goes_on(Scene& scene, Churn& churn) {
  churn.check_handles();
  scene.await_progress();
  scene.check_at_rest();
}

// The labels that were reached: a director died there, while it served, started or adopted.
void die_in_service(std::set<std::string>& reached, std::set<std::string>& passed) {
  Scene scene(kService);
  scene.start_until_directed();
  scene.await_work(4);
  Churn churn(scene);
  unsigned round = 0;
  for (const std::string& label : labels_in_sources()) {
    if (is_workers_own(label)) continue;
    INFO("killed at " << label);
    ::alarm(kWatchdogSeconds);
    const bool starting = die_starting(scene, label);
    const bool serving = die_serving(scene, churn, label, round);
    if (starting || serving) reached.insert(label);
    check_goes_on(scene, churn);
  }
  for (std::uint32_t i = 0; i < scene.board().labels_used; ++i) {
    const Label& label = scene.board().labels[i];
    if (label.passed.load() != 0) passed.insert(label.name);
  }
  scene.kill_workers();  // some are not the director's to end
  scene.stop_and_check_nothing_left();
}

// A whole life of a system: what only its beginning and its end pass. Whether the point was passed.
bool die_once_in_a_life(const std::string& label) {
  Scene scene(kLifecycle);
  scene.arm(label);
  scene.start_until_directed();
  while (!scene.has_ended("once") || !scene.has_ended("twice")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    scene.go_on();
  }
  scene.await_work(1);
  scene.go_on();
  scene.check_at_rest();
  scene.signal_director(SIGTERM);
  while (scene.await_director()) {
    scene.start_until_directed();
    scene.signal_director(SIGTERM);
  }
  scene.check_nothing_left();
  const auto report = flowlog::verify(scene.logs());
  REQUIRE(report);
  INFO(report->text());
  CHECK(report->is_whole());
  return !scene.is_armed();
}

// A director that finds another suite's system.
bool die_while_replacing(const std::string& label) {
  Scene scene(kLifecycle);
  scene.start_until_directed();
  scene.await_work(1);
  scene.kill_director();
  scene.change_suite("other", kLifecycle);
  scene.arm(label);
  scene.start_until_directed();
  scene.stop_and_check_nothing_left();
  return !scene.is_armed();
}

// A director that finds a dead system of another name.
bool die_while_sweeping(const std::string& label) {
  Scene dead(kLifecycle);
  dead.start_until_directed();
  dead.await_work(1);
  dead.kill_director();
  dead.kill_workers();
  Scene scene(kLifecycle);
  scene.arm(label);
  scene.start_until_directed();
  CHECK(dead.around().segments().empty());
  scene.stop_and_check_nothing_left();
  return !scene.is_armed();
}

// While a worker has child scripts started.
bool die_starting_errands(const std::string& label) {
  Scene scene(kSmallRings + kErrands);
  scene.start_until_directed();
  scene.await_work(1);
  scene.arm(label);
  while (scene.is_armed()) {
    scene.go_on();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  scene.go_on();
  scene.await_progress();
  scene.check_at_rest();
  scene.stop_and_check_nothing_left();
  return true;
}

bool die_elsewhere(const std::string& label) {
  if (label.starts_with("child.")) return die_starting_errands(label);
  if (label == "adopt.killed") return die_while_replacing(label);
  if (label != "sweep.unlinked") return die_once_in_a_life(label);
  // Another director of this user may have swept before ours did.
  for (int times = 0; times < 5; ++times) {
    if (die_while_sweeping(label)) return true;
  }
  return false;
}

TEST_CASE(
    "a director killed at each of its points is followed by one that finishes what it began") {
  std::set<std::string> reached;
  std::set<std::string> passed;
  die_in_service(reached, passed);
  for (const std::string& label : labels_in_sources()) {
    INFO("killed at " << label);
    if (is_workers_own(label)) {
      INFO("a director passes it: it is no point of workers alone");
      CHECK(passed.count(label) == 0);
      continue;
    }
    if (reached.count(label) != 0 || is_left_by_writers(label)) continue;
    if (is_of_who_fills(label)) continue;
    INFO("not reached by any scenario");
    CHECK(die_elsewhere(label));
  }
}

}  // namespace
}  // namespace sessionblocks::deaths
