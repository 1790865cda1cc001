// Full tables of descriptors and of processes: errors that say so, nobody lost, no spinning.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <list>
#include <thread>

#include "../stage/confined.hpp"
#include "../stage/stage.hpp"

namespace sessionblocks::limits {
namespace {

using stage::kNotPermitted;
using stage::Link;
using stage::Process;
using stage::RawClient;
using stage::run_hidden;
using stage::Stage;
using stage::StageOptions;

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

// The soft limit of a process, as long as this lives.
class Limited {
 public:
  Limited(pid_t pid, __rlimit_resource what, rlim_t most) : pid_(pid), what_(what) {
    REQUIRE(::prlimit(pid_, what_, nullptr, &before_) == 0);
    const rlimit limit{most, before_.rlim_max};
    REQUIRE(::prlimit(pid_, what_, &limit, nullptr) == 0);
  }
  ~Limited() { ::prlimit(pid_, what_, &before_, nullptr); }
  Limited(const Limited&) = delete;
  Limited& operator=(const Limited&) = delete;

 private:
  pid_t pid_;
  __rlimit_resource what_;
  rlimit before_{};
};

}  // namespace

TEST_CASE("a director without descriptors refuses who comes, and serves the others") {
  StageOptions options;
  options.limits.descriptors = 80;
  Stage stage(options);
  stage.create("cart", std::uint64_t{1} << 20U);
  Process worker([place = stage.place("main")](Link& link) {
    auto session = Session::attach(place);
    auto cart = session ? session->open("cart") : tl::unexpected(session.error());
    if (!cart) return 1;
    link.say("ready");
    while (link.hear() == 'p') {
      const auto put = cart->put("k", 1);
      const auto opened = session->open("cart", AccessMode::read);
      link.say(put && opened && opened->get<std::int64_t>("k") ? "well" : "badly");
    }
    return 0;
  });
  REQUIRE(worker.read_line() == "ready");

  std::list<RawClient> crowd;
  Errc refused{};
  while (refused == Errc{}) {
    REQUIRE(crowd.size() < 100);
    crowd.emplace_back(stage.socket());
    const auto answered = crowd.back().ask({{"op", "list"}, {"what", "blocks"}});
    REQUIRE_FALSE(answered.closed);
    if (answered.error() != Errc::denied) refused = answered.error();  // no operator, so heard
  }
  CHECK(refused == Errc::too_many);
  const auto late = Session::attach(stage.place("main"));
  REQUIRE(code(late) == Errc::too_many);
  CHECK(late.error().message().find("RLIMIT_NOFILE") != std::string::npos);
  CHECK(stage.said().find("RLIMIT_NOFILE") != std::string::npos);
  // Those who are there get what they ask for.
  for (int i = 0; i < 20; ++i) {
    worker.tell('p');
    REQUIRE(worker.read_line() == "well");
  }
  // What would stay is refused, and leaves nothing.
  CHECK(code(stage.try_create("more", std::uint64_t{1} << 20U)) == Errc::too_many);
  stage.check_in_order(1);

  // A death is seen when the table is full, too.
  worker.signal(SIGKILL);
  CHECK(worker.wait() == 128 + SIGKILL);
  stage.check_in_order(0);
  crowd.clear();
  stage.create("more", std::uint64_t{1} << 20U);
  CHECK(stage.attach("main").open("more"));
  stage.check_in_order(0);
}

TEST_CASE("a director that cannot accept rests instead of spinning") {
  Stage stage;
  stage.create("cart", std::uint64_t{1} << 20U);
  {
    const Limited none(stage.director_pid(), RLIMIT_NOFILE, 3);
    RawClient waiting(stage.socket());  // in the listener's queue
    // The director works on for those that it has, meanwhile.
    const double before = stage::spent_by(stage.director_pid()).cpu_seconds;
    while (stage.times_said("accept") < 5) CHECK(stage.workers().empty());
    const std::size_t turns = stage.times_said("accept");
    const double spent = stage::spent_by(stage.director_pid()).cpu_seconds - before;
    // Not a time limit: what the CPU did for a handful of refusals.
    INFO(turns << " refusals, " << spent << " s of CPU");
    CHECK(turns < 50);
  }
  Session session = stage.attach("main");
  CHECK(session.open("cart"));
  stage.check_in_order(1);
}

TEST_CASE("a director that may open too little takes nothing over, and harms nobody") {
  Stage stage;
  for (int i = 0; i < 20; ++i) stage.create("cart" + std::to_string(i), std::uint64_t{1} << 20U);
  Process worker([place = stage.place("main")](Link& link) {
    auto session = Session::attach(place);
    auto cart = session ? session->open("cart7") : tl::unexpected(session.error());
    if (!cart || !cart->put("k", 7)) return 1;
    link.say("ready");
    (void)link.hear();
    const auto read = cart->get<std::int64_t>("k");
    return read && read->value == 7 && cart->put("k", 8) ? 0 : 2;
  });
  REQUIRE(worker.read_line() == "ready");
  stage.kill_director();
  CHECK(stage.start_director({.descriptors = 64}) != 0);
  CHECK(stage.said().find("RLIMIT_NOFILE") != std::string::npos);
  worker.tell('g');
  CHECK(worker.wait() == 0);
}

TEST_CASE("a worker without descriptors is told so, and its blocks stay usable") {
  Stage stage;
  stage.create("cart", std::uint64_t{1} << 20U);
  stage.create("other", std::uint64_t{1} << 20U);
  Process worker([place = stage.place("main")](Link& link) {
    auto session = Session::attach(place);
    auto cart = session ? session->open("cart") : tl::unexpected(session.error());
    if (!cart || !cart->put("k", 1)) return 1;
    std::vector<int> taken;
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken.push_back(fd);
    // More often than a worker can have blocks open: none stays open by halves.
    for (int i = 0; i < 600; ++i) {
      const auto opened = session->open("other");
      if (code(opened) != Errc::too_many) return 2;
      if (opened.error().message().find("RLIMIT_NOFILE") == std::string::npos) return 3;
    }
    if (code(Session::attach(place)) != Errc::too_many) return 4;
    if (!cart->put("k", 2) || cart->get<std::int64_t>("k")->value != 2) return 5;
    ::close(taken.back());
    ::close(taken.front());
    if (!session->open("other")) return 6;
    link.say("well");
    (void)link.hear();
    return 0;
  });
  const rlimit limit{64, 64};
  REQUIRE(::prlimit(worker.pid(), RLIMIT_NOFILE, &limit, nullptr) == 0);
  const std::string end = worker.read_line();
  if (end != "well") FAIL("the worker ended with " << worker.wait());
  stage.check_in_order(1);
  worker.signal(SIGKILL);
  CHECK(worker.wait() == 128 + SIGKILL);
  stage.check_in_order(0);
}

// A read-only one could be opened for writing through /proc.
TEST_CASE("a worker keeps no descriptor of what it has mapped") {
  Stage stage;
  stage.create("cart", std::uint64_t{1} << 20U);
  Process worker([place = stage.place("main")](Link& link) {
    auto session = Session::attach(place);
    auto cart = session ? session->open("cart", AccessMode::read) : tl::unexpected(session.error());
    if (!cart || code(cart->get<std::int64_t>("k")) != Errc::not_found) return 1;
    link.say("ready");
    (void)link.hear();
    return 0;
  });
  REQUIRE(worker.read_line() == "ready");
  const std::string folder = "/proc/" + std::to_string(worker.pid()) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string target = std::filesystem::read_symlink(entry.path());
    CHECK(target.find("/dev/shm/") == std::string::npos);
  }
  worker.tell('g');
  CHECK(worker.wait() == 0);
  stage.check_in_order(0);
}

TEST_CASE("no process can be started: it is said, counted and tried again") {
  run_hidden("[.no-processes]", [] {
    // The kernel counts no processes of root.
    constexpr uid_t kNobodyElse = 61'234;
    if (::geteuid() != 0) return 0;
    return ::setresgid(kNobodyElse, kNobodyElse, kNobodyElse) == 0 &&
                   ::setresuid(kNobodyElse, kNobodyElse, kNobodyElse) == 0
               ? 0
               : kNotPermitted;
  });
}

TEST_CASE("as a user: a director that cannot fork", "[.no-processes]") {
  StageOptions options;
  options.suite =
      "[script.a]\ncommand = [\"sleep\", \"1000\"]\nbudget = { count = 3, within = \"60s\" }\n";
  options.more = {"--grace-ms", "200"};
  Stage stage(options);
  stage.wait_until_said("started   suite/a#1: pid ");
  const std::string said = stage.said();
  const pid_t script = std::atoi(said.c_str() + said.find("suite/a#1: pid ") + 15);
  {
    const Limited none(stage.director_pid(), RLIMIT_NPROC, 1);
    REQUIRE(::kill(script, SIGKILL) == 0);
    stage.wait_until_said("fork for");
    CHECK(stage.said().find("too_many") != std::string::npos);
  }
  stage.wait_until_said("restarted suite/a#1");
  {
    const Limited none(stage.director_pid(), RLIMIT_NPROC, 1);
    const std::string again = stage.said();
    const pid_t second = std::atoi(again.c_str() + again.rfind("suite/a#1: pid ") + 15);
    REQUIRE(::kill(second, SIGKILL) == 0);
    // The budget ends, and with it the script.
    stage.wait_until_said("ended     scope suite/a");
  }
  CHECK(stage.times_said("fork for") >= 2);
  stage.check_in_order(0);
}

}  // namespace sessionblocks::limits
