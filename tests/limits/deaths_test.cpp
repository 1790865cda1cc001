// Workers that die where nobody expects it: while they attach, a hundred at once, by exec, or
// leaving a fork behind. The director sees it, and nothing is left.
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include "../stage/stage.hpp"

namespace sessionblocks::limits {
namespace {

using director::test::Answered;
using stage::Link;
using stage::Process;
using stage::RawClient;
using stage::Stage;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

void kill(Process& process) {
  process.signal(SIGKILL);
  REQUIRE(process.wait() == 128 + SIGKILL);
}

std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// What a worker of the library asks, one after the other.
std::vector<Message> requests(const AttachOptions& place) {
  Message attach = RawClient::attach_request();
  attach["scope"] = place.scope;
  attach["token"] = place.token;
  return {attach,
          {{"op", "worker_segment"}},
          {{"op", "open"}, {"name", "cart"}, {"mode", 2}},
          {{"op", "readers"}, {"open", 0}},
          {{"op", "create"}, {"name", "mine"}, {"kind", "private"}, {"quota", kMiB}},
          {{"op", "close"}, {"open", 0}},
          {{"op", "detach"}}};
}

void send(RawClient& client, Message message) {
  message["id"] = 1;
  client.send_bytes(encode_message(message).value());
}

// A traced child that runs `body`, stopped before its first instruction.
class Traced {
 public:
  template <typename Body>
  explicit Traced(Body body) : pid_(::fork()) {
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      ::alarm(stage::kWatchdogSeconds);
      ::signal(SIGTERM, SIG_DFL);
      ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      ::raise(SIGSTOP);
      ::_exit(body());
    }
    int status = 0;
    REQUIRE(::waitpid(pid_, &status, 0) == pid_);
    REQUIRE(::ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_EXITKILL) == 0);
  }
  ~Traced() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Traced(const Traced&) = delete;
  Traced& operator=(const Traced&) = delete;
  // To the next entry into, or return from, a system call. False: it has ended.
  [[nodiscard]] bool step() {
    if (has_ended_) return false;
    int status = 0;
    const bool stopped = ::ptrace(PTRACE_SYSCALL, pid_, nullptr, nullptr) == 0 &&
                         ::waitpid(pid_, &status, 0) == pid_ && WIFSTOPPED(status);
    if (!stopped) {
      has_ended_ = true;
      code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    return stopped;
  }
  [[nodiscard]] int code() const noexcept { return code_; }

 private:
  pid_t pid_;
  bool has_ended_ = false;
  int code_ = -1;
};

}  // namespace

TEST_CASE("a worker that is killed after any message of attaching and opening leaves nothing") {
  Stage stage;
  stage.create("cart", kMiB);
  const auto steps = requests(stage.place("main"));
  for (std::size_t last = 0; last <= steps.size(); ++last) {
    for (const bool waits : {true, false}) {
      Process worker([&, socket = stage.socket()](Link& link) {
        RawClient client(socket);
        for (std::size_t at = 0; at < last; ++at) {
          send(client, steps[at]);
          if (waits || at + 1 < last) (void)client.receive();
        }
        link.say("there");
        (void)link.hear();
        return 0;
      });
      REQUIRE(worker.read_line() == "there");
      kill(worker);
    }
  }
  // What it made for its scope lives as long as that.
  stage.check_in_order(0);
  stage.destroy("mine");
  stage.check_in_order(0);
}

TEST_CASE("a worker that is killed at any system call of attaching, opening and writing") {
  Stage stage;
  stage.create("cart", kMiB);
  const auto place = stage.place("main");
  const auto live = [&place] {
    auto session = Session::attach(place);
    auto cart = session ? session->open("cart") : tl::unexpected(session.error());
    return cart && cart->put("k", 1) && cart->get<std::int64_t>("k") ? 0 : 1;
  };
  unsigned calls = 0;
  for (bool has_ended = false; !has_ended; ++calls) {
    Traced worker(live);
    for (unsigned at = 0; at < calls && !has_ended; ++at) has_ended = !worker.step();
    if (has_ended) CHECK(worker.code() == 0);
  }
  std::printf("killed at %u stops at system calls\n", calls);
  CHECK(calls > 50);
  stage.check_in_order(0);
  Session session = stage.attach("main");
  CHECK(session.open("cart")->put("k", 2));
  stage.check_in_order(1);
}

TEST_CASE("a hundred workers that die at once are all put right") {
  Stage stage;
  stage.create("cart", 4 * kMiB);
  Session watcher = stage.attach("main");
  std::vector<Process> workers;
  for (int number = 0; number < 100; ++number) {
    workers.emplace_back([place = stage.place("main"), number](Link& link) {
      auto session = Session::attach(place);
      auto cart = session ? session->open("cart") : tl::unexpected(session.error());
      if (!cart) return 1;
      link.say("ready");
      (void)link.hear();
      const std::string own = "own" + std::to_string(number);
      for (int turn = 0;; ++turn) {
        if (!cart->put(own, turn) || !cart->increment("all") ||
            !cart->put("k" + std::to_string(turn % 50), std::string(200, 'v'))) {
          return 2;
        }
        // Or the log has a hundred full rings to take in before the last of them is put right.
        if (turn % 100 == 99) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
  }
  for (Process& worker : workers) REQUIRE(worker.read_line() == "ready");
  for (const Process& worker : workers) worker.tell('g');
  while (!watcher.open("cart")->get<std::int64_t>("all")) {
  }
  for (const Process& worker : workers) worker.signal(SIGKILL);
  for (Process& worker : workers) REQUIRE(worker.wait() == 128 + SIGKILL);
  stage.check_in_order(1);
  Block cart = watcher.open("cart").value();
  const auto all = cart.get<std::int64_t>("all");
  REQUIRE(all);
  CHECK(cart.increment("all").value() == all->value + 1);
  stage.check_in_order(1);
}

TEST_CASE("a request that a stopped director answers too late ends no worker, and opens nothing") {
  Stage stage;
  stage.create("cart", kMiB);
  stage.create("other", kMiB);
  auto place = stage.place("main");
  place.time_limit = std::chrono::milliseconds(50);
  Process worker([place](Link& link) {
    // So short a limit passes now and then on a busy machine, too.
    auto session = Session::attach(place);
    while (code(session) == Errc::unreachable) session = Session::attach(place);
    if (!session) return 1;
    auto cart = session->open("cart");
    while (code(cart) == Errc::unreachable) cart = session->open("cart");
    if (!cart) return 1;
    link.say("ready");
    (void)link.hear();
    for (int i = 0; i < 3; ++i) {
      if (code(session->open("other")) != Errc::unreachable || !cart->put("k", i)) return 2;
    }
    link.say("late");
    (void)link.hear();
    auto other = session->open("other");
    while (code(other) == Errc::unreachable) other = session->open("other");
    if (!other || !other->put("k", 1) || !cart->put("k", 1)) return 3;
    link.say("well");
    (void)link.hear();
    return 0;
  });
  REQUIRE(worker.read_line() == "ready");
  stage.pause_director();
  worker.tell('s');
  REQUIRE(worker.read_line() == "late");
  REQUIRE(::kill(stage.director_pid(), SIGCONT) == 0);
  worker.tell('g');
  const std::string end = worker.read_line();
  if (end != "well") FAIL("the worker ended with " << worker.wait());
  CHECK(stage.workers().size() == 1);
  CHECK(stage.times_said("died") == 0);
  const auto opens = stage.ctl({"describe", "other"});
  CHECK(opens.out.find("main)") == opens.out.rfind("main)"));
  worker.tell('e');
  CHECK(worker.wait() == 0);
  stage.check_in_order(0);
}

TEST_CASE("exec in a worker ends the worker, not the process, and takes nothing along") {
  Stage stage;
  stage.create("cart", kMiB);
  Process worker([place = stage.place("main")](Link& link) {
    auto session = Session::attach(place);
    auto cart = session ? session->open("cart") : tl::unexpected(session.error());
    if (!cart || !cart->put("k", 1)) return 1;
    link.say("ready");
    (void)link.hear();
    ::execl("/bin/sleep", "sleep", "1000", nullptr);
    return 126;
  });
  REQUIRE(worker.read_line() == "ready");
  CHECK(stage.workers().size() == 1);
  worker.tell('e');
  stage.check_in_order(0);  // the end of its connection says it
  CHECK_FALSE(worker.has_ended());
  const std::string folder = "/proc/" + std::to_string(worker.pid());
  CHECK(contents(folder + "/maps").find("sessionblocks") == std::string::npos);
  for (const auto& entry : std::filesystem::directory_iterator(folder + "/fd")) {
    const std::string target = std::filesystem::read_symlink(entry.path());
    CHECK(target.find("sessionblocks") == std::string::npos);
    CHECK(target.find("socket:") == std::string::npos);
  }
  kill(worker);
  stage.check_in_order(0);
}

TEST_CASE("a fork that outlives its worker is no worker, and hides nothing of its death") {
  Stage stage;
  stage.create("cart", kMiB);
  Process worker([place = stage.place("main")](Link& link) {
    auto session = Session::attach(place);
    auto cart = session ? session->open("cart") : tl::unexpected(session.error());
    if (!cart || !cart->put("k", 1)) return 1;
    if (::fork() != 0) {
      while (true) ::pause();
    }
    // The child: it holds the connection too, so the director sees no end of file.
    link.say(std::to_string(::getpid()));
    while (true) {
      (void)link.hear();
      const bool is_refused = code(cart->get<std::int64_t>("k")) == Errc::forked &&
                              code(cart->put("k", 2)) == Errc::forked &&
                              code(session->open("cart")) == Errc::forked;
      auto own = Session::attach(place);
      const bool is_worker = own && own->open("cart")->get<std::int64_t>("k")->value == 1;
      link.say(is_refused && is_worker ? "well" : "badly");
    }
  });
  const pid_t child = std::stoi(worker.read_line());
  worker.tell('a');
  CHECK(worker.read_line() == "well");
  stage.check_in_order(1);
  kill(worker);
  stage.check_in_order(0);  // by its pidfd
  worker.tell('a');
  CHECK(worker.read_line() == "well");
  stage.check_in_order(0);
  CHECK(::kill(child, SIGKILL) == 0);
}

}  // namespace sessionblocks::limits
