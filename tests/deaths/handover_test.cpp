// What a director was about to do when it died, one thing at a time.
#include <algorithm>
#include <fstream>
#include <thread>

#include "block_check.hpp"
#include "churn.hpp"
#include "suites.hpp"

namespace sessionblocks::deaths {
namespace {

using namespace std::chrono_literals;

// A director dies at the armed point, whenever it comes there, and the next one directs.
void await_next_director(Scene& scene) {
  while (scene.is_armed()) {
    scene.go_on();
    std::this_thread::sleep_for(1ms);
  }
  scene.go_on();
}

std::size_t processes_of(const Scene& scene) {
  const auto control = ControlView::of(scene.around().prefix());
  REQUIRE(control);
  return control->processes();
}

TEST_CASE("a director that dies between a process and its row leaves no process") {
  Scene scene(kSmallRings + kCartOfLoad + Scene::load("load", 1));
  scene.arm(GENERATE(as<std::string>(), "launch.spawned", "launch.row"));
  REQUIRE_FALSE(scene.start_director());
  REQUIRE(scene.start_director());
  scene.await_work(1);
  CHECK(processes_of(scene) == 1);
  CHECK(scene.board().lives_used.load() == 1);
  scene.check_at_rest();
  scene.stop_and_check_nothing_left();
}

TEST_CASE("a script that has ended well is not started again when its director dies of the rest") {
  Scene scene(kSmallRings + kCartOfLoad + Scene::load("load", 1) + kOnce);
  scene.arm(GENERATE(as<std::string>(), "worker.dead", "worker.withdrawn", "scope.ending"));
  scene.start_until_directed();
  await_next_director(scene);
  while (!scene.has_ended("once")) std::this_thread::sleep_for(1ms);
  scene.await_work(1);
  std::ifstream ran(scene.around().directory() / "suite" / "ran");
  const std::string lines{std::istreambuf_iterator<char>(ran), {}};
  CHECK(lines == "once\n");
  scene.check_at_rest();
  scene.stop_and_check_nothing_left();
}

TEST_CASE("a process that detached goes on when its director dies half way") {
  Scene scene(kSmallRings +
              "[block.cart]\nkind = \"shared\"\nowner = \"suite\"\nquota = \"8MiB\"\n"
              "grants = { detacher = \"rw\" }\n" +
              Scene::load("detacher", 1));
  scene.arm(GENERATE(as<std::string>(), "worker.dead", "worker.unlinked", "worker.withdrawn"));
  scene.start_until_directed();
  await_next_director(scene);
  scene.await_work(1);
  CHECK(processes_of(scene) == 1);
  CHECK(scene.board().lives_used.load() == 1);
  scene.check_at_rest();
  scene.stop_and_check_nothing_left();
}

TEST_CASE("a process whose attach was cut off attaches to the next director") {
  Scene scene(kSmallRings + kCartOfLoad + Scene::load("load", 1));
  scene.start_until_directed();
  scene.await_work(1);
  // Armed only now: the first segment of all is a director's own.
  scene.arm(GENERATE(as<std::string>(), "worker.segment", "worker.formatted", "worker.attached"));
  scene.kill_workers();  // it is started again, and attaches
  await_next_director(scene);
  scene.await_work(1);
  CHECK(processes_of(scene) == 1);
  CHECK(scene.board().lives_used.load() == 2);
  scene.check_at_rest();
  scene.stop_and_check_nothing_left();
}

// It had the right to write there through its flow scope alone.
TEST_CASE(
    "a worker that dies in a flow scope while no director runs is put right by the next one") {
  Scene scene(kSmallRings + kCartOfLoad + Scene::load("load", 1) + kFlows);
  REQUIRE(scene.start_director());
  scene.await_work(2);
  const auto lives = scene.living();
  const auto found = std::find_if(lives.begin(), lives.end(),
                                  [](const Life* life) { return life->worker.load() == 0; });
  REQUIRE(found != lives.end());  // the log check knows the others by their worker
  Life* const victim = *found;
  const auto entered = [&] {
    const auto control = ControlView::of(scene.around().prefix());
    return control && control->has_scope("round");
  };
  while (!entered()) std::this_thread::sleep_for(1ms);
  scene.kill_director();
  scene.board().victim_dies_at.store(scene.board().find("write.committed"));
  while (scene.lives(*victim)) std::this_thread::sleep_for(1ms);
  scene.board().victim_dies_at.store(0);
  REQUIRE(entered());
  REQUIRE(scene.start_director());
  scene.await_work(2);
  CHECK(scene.said().find("1 in flight had committed, 0 had not") != std::string::npos);
  CHECK(scene.said().find("forged") == std::string::npos);
  scene.check_at_rest();
  scene.stop_and_check_nothing_left();
}

TEST_CASE("a child script whose start was cut off is started once its worker asks again") {
  Scene scene(kSmallRings + kErrands);
  scene.arm(GENERATE(as<std::string>(), "child.recorded", "child.prepared", "child.started"));
  scene.start_until_directed();
  await_next_director(scene);
  scene.await_work(1);
  const auto lives = scene.living();
  REQUIRE(lives.size() == 1);
  const std::uint64_t before = lives.front()->answered.load();
  while (lives.front()->answered.load() < before + 5) {
    scene.check_lives();
    std::this_thread::sleep_for(1ms);
  }
  // In the order in which they were asked for. One that ended while no director ran is done again;
  // what was asked of nobody is not done.
  std::ifstream file(scene.around().directory() / "suite" / "errands");
  std::uint64_t last = 0;
  for (std::uint64_t number = 0; file >> number; last = number) CHECK(number >= last);
  CHECK(last + 1 >= before + 5);  // the last of them may not have got to it
  scene.stop_and_check_nothing_left();
}

// Attached to the script "starter": new, or as the worker that it was.
director::test::RawClient starter_of(const Scene& scene, std::uint32_t& worker) {
  using director::test::RawClient;
  RawClient client((scene.around().runtime() / "socket").string());
  auto hello = RawClient::attach_request();
  if (worker == 0) {
    RawClient asking((scene.around().runtime() / "socket").string());
    REQUIRE(asking.prove_operator(scene.around().runtime()).ok());
    const auto token = asking.ask({{"op", "act_as"}, {"scope", "deaths/starter"}});
    REQUIRE(token.ok());
    hello["token"] = token.body["token"];
  } else {
    hello["worker"] = worker;
  }
  const auto attached = client.ask(hello);
  REQUIRE(attached.ok());
  worker = attached.body["worker"].get<std::uint32_t>();
  return client;
}

TEST_CASE("the same request for a child script is carried out by whichever director hears it") {
  Scene scene(kSmallRings + "[script.starter]\ncommand = [\"sleep\", \"60\"]\n" + kErrand);
  REQUIRE(scene.start_director());
  std::uint32_t worker = 0;
  auto client = starter_of(scene, worker);
  const auto start = [&](unsigned number) {
    return client.ask({{"op", "start_script"},
                       {"name", "errand"},
                       {"number", number},
                       {"args", {std::to_string(number)}}});
  };
  scene.arm(GENERATE(as<std::string>(), "child.recorded", "child.prepared", "child.started"));
  CHECK(start(1).closed);
  scene.go_on();
  client = starter_of(scene, worker);
  CHECK(start(1).ok());
  auto next = start(2);
  while (next.error() == Errc::exists) {
    std::this_thread::sleep_for(1ms);
    next = start(2);
  }
  CHECK(next.ok());
  std::ifstream file(scene.around().directory() / "suite" / "errands");
  std::uint64_t first = 0;
  file >> first;
  CHECK(first == 1);
  client.ask({{"op", "detach"}});
  scene.stop_and_check_nothing_left();
}

TEST_CASE(
    "a flow scope that an operator ended is ended by the next director, and its worker told") {
  Scene scene(kSmallRings + kCartOfLoad + Scene::load("load", 1));
  REQUIRE(scene.start_director());
  auto session = Session::attach(scene.attach_options());
  REQUIRE(session);
  auto outer = session->enter_scope("outer");
  REQUIRE(outer);
  auto inner = outer->enter_scope("inner");
  REQUIRE(inner);
  scene.arm(GENERATE(as<std::string>(), "flow.ending", "scope.withdrawn"));
  director::test::RawClient client((scene.around().runtime() / "socket").string());
  REQUIRE(client.prove_operator(scene.around().runtime()).ok());
  CHECK(client.ask({{"op", "end_scope"}, {"scope", "deaths/outer"}}).closed);
  scene.go_on();
  CHECK(scene.has_ended("inner"));
  CHECK(scene.has_ended("outer"));
  CHECK(inner->open("cart").error() == Errc::gone);
  CHECK(outer->enter_scope("inner").error() == Errc::gone);
  CHECK(session->enter_scope("outer"));
}

TEST_CASE("a director that dies while it ends a script's scope is followed by one that goes on") {
  Scene scene(kSmallRings + kErrands);
  scene.arm(GENERATE(as<std::string>(), "destroy.goal", "destroy.withdrawn"));
  scene.start_until_directed();
  await_next_director(scene);
  scene.await_work(1);
  scene.await_progress();
  scene.stop_and_check_nothing_left();
}

TEST_CASE("the open index of a block that has gone stays its worker's until that closes it") {
  Scene scene(kService);
  REQUIRE(scene.start_director());
  scene.await_work(4);
  auto session = Session::attach(scene.attach_options());
  REQUIRE(session);
  BlockOptions options;
  options.kind = "shared";
  options.quota_bytes = 1U << 20U;
  options.name = "old";
  auto old = session->create(options);
  REQUIRE(old);
  REQUIRE(old->put("key", 1));
  scene.arm("destroy.state");
  static_cast<void>(session->destroy("old"));  // unreachable, or asked again of the next one
  await_next_director(scene);
  CHECK(old->put("key", 2).error() == Errc::gone);
  options.name = "new";
  auto made = session->create(options);
  REQUIRE(made);
  const std::uint32_t id = made->id();
  old = fail(Errc::gone);  // and so its handle closes what it had open
  REQUIRE(made->put("key", 3));
  const auto control = ControlView::of(scene.around().prefix());
  REQUIRE(control);
  const auto opens = control->opens_of(session->worker_id());
  CHECK(std::count(opens.begin(), opens.end(), (std::uint64_t{1} << 32U) | id) == 1);
  scene.check_at_rest();
}

}  // namespace
}  // namespace sessionblocks::deaths
