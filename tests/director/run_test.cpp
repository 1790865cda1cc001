// The program flowdirector, with real scripts, signals and deaths. Scripts are shells, or this test
// program again, as one of the hidden cases at the end.
#include "run_scene.hpp"

namespace sessionblocks::director::test {
namespace {

const char* const kBlocks = R"(
[block.cart]
kind = "shared"
owner = "suite"
quota = "1MiB"
grants = { checkout = "rw", report = "r" }
[block.progress]
owner = "worker"
quota = "1MiB"
[block.settings]
kind = "inherited"
from = "defaults"
heirs = { checkout = "r" }
[block.defaults]
owner = "suite"
quota = "1MiB"
)";

TEST_CASE("a suite whose scripts end well ends with 0 and leaves nothing") {
  Scene scene(script("a", "exit 0", "workers = 3"));
  scene.start();
  CHECK(scene.exit_code() == 0);
  CHECK(scene.left_nothing());
}

TEST_CASE("a failed script is restarted as often as its budget says, then the suite ends with 1") {
  Scene scene(script("a", "echo x >> out/count; exit 3",
                     "paths = { write = [\"out\"] }\nbudget = { count = 3, within = \"60s\" }"));
  scene.start();
  CHECK(scene.exit_code() == 1);
  CHECK(fs::file_size(scene.out("count")) == 8);  // once, and three times again
  CHECK(scene.left_nothing());
}

TEST_CASE("restart = never is obeyed") {
  Scene scene(script("a", "echo x >> out/count; exit 3",
                     "paths = { write = [\"out\"] }\nrestart = \"never\""));
  scene.start();
  CHECK(scene.exit_code() == 1);
  CHECK(fs::file_size(scene.out("count")) == 2);
}

TEST_CASE("a script that passes its time limit is ended, and the exit code is 124") {
  Scene scene(script("a", "sleep 1000", "timeout = \"100ms\""));
  scene.start();
  CHECK(scene.exit_code() == 124);
  CHECK(scene.left_nothing());
}

TEST_CASE("a script that ignores SIGTERM is killed after the grace") {
  Scene scene(script("a", "trap '' TERM; while :; do sleep 0.1; done", "timeout = \"100ms\""));
  scene.start({"--grace-ms", "100"});
  CHECK(scene.exit_code() == 124);
  CHECK(scene.left_nothing());
}

TEST_CASE("a suite file with errors starts nothing, names each place, and ends with 2") {
  Scene scene("[block.cart]\nquota = \"9999TiB\"\nodd = 1\n" + script("a", "exit 0"));
  scene.start();
  CHECK(scene.exit_code() == 2);
  const std::string file = scene.suite_file();
  CHECK(scene.said.find(file + ":5:") != std::string::npos);
  CHECK(scene.said.find(file + ":6:") != std::string::npos);
  CHECK(scene.left_nothing());
}

TEST_CASE("SIGTERM ends workers, then blocks, and leaves nothing") {
  Scene scene(kBlocks + script("checkout", "sleep 1000", "workers = 2") +
              script("report", "sleep 1000"));
  scene.start();
  const pid_t worker = scene.pid_of("shop/checkout#2");
  REQUIRE(scene.wait_for("director of system"));
  CHECK(scene.around.segments().size() >= 8);
  scene.kill(SIGTERM);
  CHECK(scene.exit_code() == 1);
  CHECK(scene.left_nothing());
  CHECK(::kill(worker, 0) != 0);
}

TEST_CASE("blocks are there when a script begins, each for whom it is meant") {
  Scene scene(kBlocks + child("checkout", ".opens-all", "workers = 2") +
              child("report", ".opens-cart-only"));
  scene.start();
  CHECK(scene.exit_code() == 0);
  CHECK(scene.left_nothing());
}

TEST_CASE("a worker cannot become another scope, nor an operator") {
  Scene scene(kBlocks + child("report", ".tries-to-be-another") + script("checkout", "exit 0"));
  scene.start();
  CHECK(scene.exit_code() == 0);
}

TEST_CASE("a script creates what may_create says and nothing else") {
  Scene scene(kBlocks + child("checkout", ".creates", "may_create = [\"cart-*\"]") +
              script("report", "exit 0"));
  scene.start();
  CHECK(scene.exit_code() == 0);
  CHECK(scene.left_nothing());
}

TEST_CASE("a worker that is killed is restarted and finds its own block again") {
  Scene scene(kBlocks + script("report", "exit 0") +
              child("checkout", ".dies-once",
                    "paths = { write = [\"out\"] }\nbudget = { count = 2, within = \"60s\" }"));
  scene.start();
  CHECK(scene.exit_code() == 0);
  CHECK(scene.said.find("restarted shop/checkout#1") != std::string::npos);
  CHECK(scene.said.find("recovered") != std::string::npos);
  CHECK(scene.left_nothing());
}

TEST_CASE("a director that was killed is followed by one that takes its workers over") {
  Scene scene(kBlocks + script("checkout", "sleep 1000") + script("report", "sleep 1000"));
  scene.start();
  const pid_t worker = scene.pid_of("shop/checkout#1");
  REQUIRE(scene.wait_for("director of system"));
  const auto before = scene.around.segments();
  scene.kill(SIGKILL);
  CHECK(scene.wait().by_signal);
  const auto identity = platform::ProcessIdentity::of(worker);
  REQUIRE(identity);
  CHECK(identity->alive());
  scene.start();
  REQUIRE(scene.wait_for("director of system"));
  CHECK(scene.said.find("adopted   block cart") != std::string::npos);
  CHECK(scene.said.find("started   shop/checkout#1") == std::string::npos);
  CHECK(identity->alive());
  scene.kill(SIGTERM);
  CHECK(scene.exit_code() == 1);
  CHECK(scene.left_nothing());
  CHECK_FALSE(identity->alive());
  wait_for_end_of_group(worker);  // and of all that it had started
}

TEST_CASE("a worker that dies while no director runs is started again by the next") {
  Scene scene(kBlocks + script("checkout", "sleep 1000") + script("report", "sleep 1000"));
  scene.start();
  const pid_t worker = scene.pid_of("shop/checkout#1");
  REQUIRE(scene.wait_for("director of system"));
  scene.kill(SIGKILL);
  static_cast<void>(scene.wait());
  const auto identity = platform::ProcessIdentity::of(worker);
  REQUIRE(identity);
  ::kill(worker, SIGKILL);
  const auto pidfd = identity->open();
  if (pidfd) {
    pollfd ended{pidfd->get(), POLLIN, 0};
    ::poll(&ended, 1, -1);
  }
  scene.start();
  REQUIRE(scene.wait_for("director of system"));
  CHECK(scene.pid_of("shop/checkout#1") != worker);
  wait_for_end_of_group(worker);
  scene.kill(SIGTERM);
  CHECK(scene.exit_code() == 1);
  CHECK(scene.left_nothing());
}

TEST_CASE("what a killed director and its dead workers left is gone after the next run") {
  Scene scene(kBlocks + script("checkout", "sleep 1000") + script("report", "sleep 1000"));
  scene.start();
  const pid_t pids[] = {scene.pid_of("shop/checkout#1"), scene.pid_of("shop/report#1")};
  REQUIRE(scene.wait_for("director of system"));
  scene.kill(SIGKILL);
  static_cast<void>(scene.wait());
  for (const pid_t pid : pids) ::kill(-pid, SIGKILL);
  CHECK_FALSE(scene.around.segments().empty());
  std::ofstream(scene.suite_file()) << "schema = 1\n[suite]\nname = \"other\"\n"
                                    << script("a", "exit 0");
  scene.start();
  CHECK(scene.exit_code() == 0);
  CHECK(scene.left_nothing());
}

// What follows runs as a script, under the sandbox, by name only.

RawClient attached() {
  RawClient client(variable("SESSIONBLOCKS_SOCKET"));
  const auto reply =
      client.attach(variable("SESSIONBLOCKS_SCOPE"), variable("SESSIONBLOCKS_TOKEN"));
  REQUIRE(reply.ok());
  CHECK(reply.body["scope"] == variable("SESSIONBLOCKS_SCOPE"));
  return client;
}

TEST_CASE("as a script: opens all its blocks", "[.opens-all]") {
  RawClient client = attached();
  CHECK(client.open("cart", 2).body["rights"] == 2);
  CHECK(client.open("progress", 0).body["rights"] == 2);
  CHECK(client.open("settings", 0).body["rights"] == 1);
  CHECK(client.open("settings", 2).error() == Errc::read_only);
  CHECK(client.open("defaults", 0).error() == Errc::denied);
}

TEST_CASE("as a script: opens the cart for reading", "[.opens-cart-only]") {
  RawClient client = attached();
  CHECK(client.open("cart", 0).body["rights"] == 1);
  CHECK(client.open("cart", 2).error() == Errc::read_only);
  CHECK(client.open("settings", 0).error() == Errc::denied);
}

TEST_CASE("as a script: tries to be another", "[.tries-to-be-another]") {
  const std::string socket = variable("SESSIONBLOCKS_SOCKET");
  // What the director knows of a process comes before what it says of itself.
  RawClient stranger(socket);
  CHECK(stranger.attach("shop/checkout#1").body["scope"] == "shop/report#1");
  RawClient again(socket);
  CHECK(again.attach("shop/checkout#1", variable("SESSIONBLOCKS_TOKEN")).body["scope"] ==
        "shop/report#1");
  CHECK(again.open("progress", 0).ok());
  CHECK(again.open("settings", 0).error() == Errc::denied);
  CHECK(stranger.ask({{"op", "stop"}}).error() == Errc::denied);
  const fs::path runtime = fs::path(socket).parent_path();
  CHECK_FALSE(std::ifstream(runtime / "operator.key").good());
  Message reconnect = RawClient::attach_request();
  RawClient other(socket);
  reconnect["worker"] = 1;  // the director's own
  CHECK(other.ask(reconnect).error() == Errc::denied);
  reconnect["worker"] = 4'000'000'000;
  CHECK(other.ask(reconnect).error() == Errc::gone);
}

TEST_CASE("as a script: creates", "[.creates]") {
  RawClient client = attached();
  const auto create = [&client](const char* name, const char* kind) {
    return client.ask({{"op", "create"}, {"name", name}, {"kind", kind}, {"quota", 1U << 20U}});
  };
  CHECK(create("cart-1", "private").ok());
  CHECK(create("cart-2", "shared").ok());
  CHECK(create("cart-1", "private").error() == Errc::exists);
  CHECK(create("other", "private").error() == Errc::not_permitted);
  CHECK(create("cart-3", "inherited").error() == Errc::invalid_argument);
  CHECK(client.ask({{"op", "destroy"}, {"name", "cart"}}).error() == Errc::denied);
  CHECK(client.ask({{"op", "destroy"}, {"name", "cart-2"}}).ok());
}

TEST_CASE("as a script: dies once", "[.dies-once]") {
  RawClient client = attached();
  const auto opened = client.open("progress", 2);
  REQUIRE(opened.ok());
  const bool first = !fs::exists("out/block");
  if (first) {
    std::ofstream("out/block") << opened.body["block"].get<unsigned>();
    ::kill(::getpid(), SIGKILL);
  }
  unsigned before = 0;
  std::ifstream("out/block") >> before;
  CHECK(opened.body["block"] == before);
}

}  // namespace
}  // namespace sessionblocks::director::test
