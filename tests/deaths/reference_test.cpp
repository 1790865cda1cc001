// References over the death of the director that gave them out, or was redeeming one.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "block_check.hpp"
#include "core/crash_point.hpp"
#include "suites.hpp"

namespace sessionblocks::deaths {
namespace {

using namespace std::chrono_literals;

// The suite's own scope shares a private block with the script "victim".
struct Sharing {
  explicit Sharing(Scene& scene) : owner(Session::attach(scene.attach_options()).value()) {
    BlockOptions made;
    made.name = "shared";
    made.quota_bytes = 1U << 20U;
    made.permit = {"share"};
    block.emplace(owner.create(made).value());
    AttachOptions of_victim = scene.attach_options();
    of_victim.scope = "deaths/victim";
    of_victim.token = scene.board().victim_token;
    other.emplace(Session::attach(of_victim).value());
  }
  [[nodiscard]] std::string reference(bool single_use) {
    ShareOptions options;
    options.rights = "rw";
    options.audience = "deaths/victim";
    options.single_use = single_use;
    return owner.share(*block, options).value();
  }

  Session owner;
  std::optional<Block> block;
  std::optional<Session> other;
};

TEST_CASE(
    "a reference for a single use is lost or kept, and never good twice, when directors die") {
  Scene scene(kService);
  REQUIRE(scene.start_director());
  scene.await_work(4);
  Sharing sharing(scene);
  for (const char* label : {"reference.used", "open.added", "reference.redeemed", "open.logged"}) {
    INFO("killed at " << label);
    const std::string lost = sharing.reference(true);
    const std::string kept = sharing.reference(true);
    scene.arm(label);
    CHECK(sharing.other->redeem(lost).error() == Errc::unreachable);
    REQUIRE_FALSE(scene.is_armed());
    scene.go_on();
    CHECK(sharing.other->redeem(lost).error() == Errc::reference_used);
    CHECK(sharing.other->redeem(kept));
    CHECK(sharing.other->redeem(kept).error() == Errc::reference_used);
  }
  scene.check_at_rest();
}

TEST_CASE("who redeemed a block writes on while directors come and go, and as who it is") {
  Scene scene(kService);
  REQUIRE(scene.start_director());
  scene.await_work(4);
  Sharing sharing(scene);
  auto redeemed = sharing.other->redeem(sharing.reference(false));
  REQUIRE(redeemed);
  std::int64_t count = 0;
  for (int directors = 0; directors < 3; ++directors) {
    scene.kill_director();
    CHECK(redeemed->increment("count") == ++count);
    REQUIRE(scene.start_director());
    CHECK(redeemed->increment("count") == ++count);
    CHECK(sharing.other->open("shared").error() == Errc::denied);
  }
  CHECK(sharing.block->get<std::int64_t>("count")->value == count);
  REQUIRE(sharing.owner.destroy("shared"));
  CHECK(redeemed->increment("count").error() == Errc::gone);
  scene.check_at_rest();
}

// A worker that dies in the middle of a write into what it redeemed, once it is told to.
pid_t start_writer(const AttachOptions& as, const std::string& reference, int ready, int go) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::alarm(kWatchdogSeconds);
  const auto die_writing = [&] {
    auto session = Session::attach(as);
    auto redeemed = session ? session->redeem(reference) : tl::unexpected(session.error());
    char byte = 0;
    if (!redeemed || ::write(ready, "r", 1) != 1 || ::read(go, &byte, 1) != 1) return;
    crash_hook() = [](const char* label) {
      if (std::string_view(label) == "write.committed") ::kill(::getpid(), SIGKILL);
    };
    static_cast<void>(redeemed->increment("count"));
  };
  die_writing();
  ::_exit(1);
}

TEST_CASE("what a dead worker wrote last into a redeemed block is put right by the next director") {
  Scene scene(kService);
  REQUIRE(scene.start_director());
  scene.await_work(4);
  Sharing sharing(scene);
  AttachOptions as = scene.attach_options();
  as.scope = "deaths/victim";
  as.token = scene.board().victim_token;
  int ready[2];
  int go[2];
  REQUIRE((::pipe2(ready, O_CLOEXEC) == 0 && ::pipe2(go, O_CLOEXEC) == 0));
  const pid_t writer = start_writer(as, sharing.reference(false), ready[1], go[0]);
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  scene.kill_director();
  REQUIRE(::write(go[1], "g", 1) == 1);
  int status = 0;
  REQUIRE(::waitpid(writer, &status, 0) == writer);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(scene.start_director());
  INFO(scene.said());
  CHECK(scene.said().find("1 in flight had committed") != std::string::npos);
  CHECK(sharing.block->get<std::int64_t>("count")->value == 1);
  for (const int fd : {ready[0], ready[1], go[0], go[1]}) ::close(fd);
  scene.check_at_rest();
}

TEST_CASE("what a stopped director redeems too late is closed again, and used up") {
  Scene scene(kService);
  REQUIRE(scene.start_director());
  scene.await_work(4);
  Sharing sharing(scene);
  AttachOptions impatient = scene.attach_options();
  impatient.scope = "deaths/victim";
  impatient.token = scene.board().victim_token;
  impatient.time_limit = 200ms;
  auto session = Session::attach(impatient);
  while (!session) session = Session::attach(impatient);
  const std::string reference = sharing.reference(true);
  scene.pause_director();
  CHECK(session->redeem(reference).error() == Errc::unreachable);
  scene.signal_director(SIGCONT);
  // Answers come in order: behind the second one the first, which was late, has been undone.
  for (int answers = 0; answers < 2;) {
    if (session->open("no-such-block").error() == Errc::no_such_block) ++answers;
  }
  CHECK(sharing.other->redeem(reference).error() == Errc::reference_used);
  const auto control = ControlView::of(scene.around().prefix());
  REQUIRE(control);
  const auto opens = control->opens_of(session->worker_id());
  CHECK(std::all_of(opens.begin(), opens.end(), [](std::uint64_t open) { return open == 0; }));
  scene.check_at_rest();
}

}  // namespace
}  // namespace sessionblocks::deaths
