// The director is killed at each of its crash points; the next one goes on, with the same workers.
#include <signal.h>

#include <map>
#include <set>
#include <thread>

#include "block_check.hpp"
#include "churn.hpp"
#include "flowlog/verify.hpp"

namespace sessionblocks::deaths {
namespace {

const std::string kCart =
    "[block.cart]\nkind = \"shared\"\nowner = \"suite\"\nquota = \"48MiB\"\n"
    "grants = { load = \"rw\", victim = \"rw\", watch = \"r\" }\n";
const std::string kSmallRings = "[director]\nring_records = 65536\n";
const std::string kService =
    kSmallRings + kCart + Scene::load("load", 2) + Scene::load("watch", 1) +
    Scene::load("victim", 1, "restart = \"always\"\nbudget = { count = 1000, within = \"60s\" }");
// One that goes on, one that ends well, one that fails once, with a block of their own each.
const std::string kLifecycle =
    kSmallRings +
    "[block.cart]\nkind = \"shared\"\nowner = \"suite\"\nquota = \"8MiB\"\n"
    "grants = { load = \"rw\" }\n" +
    Scene::load("load", 1) +
    "[script.once]\ncommand = [\"sh\", \"-c\", \"echo once >> ran; exit 0\"]\n"
    "[block.once_own]\nowner = \"script.once\"\nquota = \"1MiB\"\n"
    "[script.twice]\ncommand = [\"sh\", \"-c\", \"exit 3\"]\n"
    "budget = { count = 1, within = \"60s\" }\n";

// No director passes these: it writes no entries, cuts and adopts no pages for them, begins no
// growth that an insert would begin and moves no batch for one, and gives pins back by what control
// names (checkpoint.keep). That none does is checked too.
bool is_workers_own(const std::string& label) {
  return label.starts_with("write.") || label == "page.cut" || label == "page.before_adopt" ||
         label == "growth.before_begin" || label == "growth.batch_moved" ||
         label == "checkpoint.unpinned";
}

// Passed only where a writer died at this very point: tests/crash kills there, and recovers.
bool is_left_by_writers(const std::string& label) {
  return label == "growth.half_begun";
}

// Where the director before must have died, for the next one to come by there.
const std::map<std::string, std::string> kPreludes = {{"recovery.trim_bumped", "trim.spliced"},
                                                      {"recovery.before_run", "run.return_won"}};

// Until a director directs; those that die on the way do so by the armed point.
void start_until_directed(Scene& scene) {
  constexpr int kMostDeaths = 3;  // one at each point that is armed
  for (int deaths = 0; !scene.start_director(); ++deaths) REQUIRE(deaths < kMostDeaths);
}

// If it died at the armed point, the next one is started.
void go_on(Scene& scene) {
  if (scene.is_directed()) return;
  REQUIRE(scene.await_director());
  start_until_directed(scene);
}

// Arms the point; then a director adopts, does all it can, is killed, and another adopts what it
// left, until one of them has died there. Whether one did.
bool kill_at(Scene& scene, Churn& churn, const std::string& label, unsigned& round) {
  const int most = label.starts_with("recovery.") ? 9 : 2;
  const auto prelude = kPreludes.find(label);
  if (prelude == kPreludes.end()) {
    scene.arm(label);
  } else {
    scene.arm(prelude->second, label);
  }
  start_until_directed(scene);
  for (int times = 0; times < most && scene.is_armed(); ++times) {
    churn.run(++round);
    go_on(scene);
  }
  if (scene.is_armed()) {
    scene.kill_director();
    start_until_directed(scene);
    // What it finds to do in a block, it does in its first turns.
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    go_on(scene);
  }
  const bool reached = !scene.is_armed() || !scene.disarm();
  go_on(scene);
  return reached;
}

void check_goes_on(Scene& scene, Churn& churn) {
  churn.check_handles();
  scene.await_progress();
  scene.check_at_rest();
}

// The labels that were reached: a director died there, while it served, started or adopted.
void die_in_service(std::set<std::string>& reached, std::set<std::string>& passed) {
  Scene scene(kService);
  start_until_directed(scene);
  scene.await_work(4);
  Churn churn(scene);
  unsigned round = 0;
  for (const std::string& label : labels_in_sources()) {
    if (is_workers_own(label)) continue;
    INFO("killed at " << label);
    scene.kill_director();
    if (label == "flowlog.cut") scene.tear_log();
    if (kill_at(scene, churn, label, round)) reached.insert(label);
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
  start_until_directed(scene);
  while (!scene.has_ended("once") || !scene.has_ended("twice")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    go_on(scene);
  }
  scene.await_work(1);
  go_on(scene);
  scene.check_at_rest();
  scene.signal_director(SIGTERM);
  while (scene.await_director()) {
    start_until_directed(scene);
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
  start_until_directed(scene);
  scene.await_work(1);
  scene.kill_director();
  scene.change_suite("other", kLifecycle);
  scene.arm(label);
  start_until_directed(scene);
  scene.stop_and_check_nothing_left();
  return !scene.is_armed();
}

// A director that finds a dead system of another name.
bool die_while_sweeping(const std::string& label) {
  Scene dead(kLifecycle);
  start_until_directed(dead);
  dead.await_work(1);
  dead.kill_director();
  dead.kill_workers();
  Scene scene(kLifecycle);
  scene.arm(label);
  start_until_directed(scene);
  CHECK(dead.around().segments().empty());
  scene.stop_and_check_nothing_left();
  return !scene.is_armed();
}

bool die_elsewhere(const std::string& label) {
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
    INFO("not reached by any scenario");
    CHECK(die_elsewhere(label));
  }
}

}  // namespace
}  // namespace sessionblocks::deaths
