// A worker killed before and after every system call of its life, from attach to detach: what it
// shares with the director changes nowhere else but in the data plane, which single_step_test.cpp
// goes through instruction by instruction.
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <sessionblocks/sessionblocks.hpp>

#include "../director/raw_client.hpp"
#include "segment/fsck.hpp"

namespace sessionblocks::crash {
namespace {

using director::Registry;

constexpr int kMark = SYS_getppid;  // a call that the library has no use for
constexpr auto kNap = std::chrono::milliseconds(1);
constexpr int kMostNaps = 30'000;  // what is still there then stays

// A process that runs one hidden test case of this program, and stops at its system calls.
class Traced {
 public:
  Traced(const char* life, const std::string& socket, const std::string& token) {
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
      ::dup2(nowhere, 1);
      ::dup2(nowhere, 2);
      ::setenv("SESSIONBLOCKS_SOCKET", socket.c_str(), 1);
      ::setenv("SESSIONBLOCKS_TOKEN", token.c_str(), 1);
      ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      ::execl("/proc/self/exe", "test_crash", life, static_cast<char*>(nullptr));
      ::_exit(126);
    }
    REQUIRE(wait_stopped());  // at its exec
    ::ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
  }
  ~Traced() { kill(); }
  Traced(const Traced&) = delete;
  Traced& operator=(const Traced&) = delete;

  // To the next entry or exit of a system call. False: it has ended.
  [[nodiscard]] bool next() {
    if (::ptrace(PTRACE_SYSCALL, pid_, nullptr, nullptr) != 0) return false;
    return wait_stopped();
  }
  // To its mark.
  [[nodiscard]] bool begin() {
    user_regs_struct registers{};
    while (next()) {
      ::ptrace(PTRACE_GETREGS, pid_, nullptr, &registers);
      if (registers.orig_rax == kMark) return next();
    }
    return false;
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  bool wait_stopped() {
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_) return false;
    if (WIFSTOPPED(status)) return true;
    INFO("it ended with status " << status);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    pid_ = 0;
    return false;
  }
  pid_t pid_ = 0;
};

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

struct Stage {
  Stage() : director(director::test::bare_options(around)) {
    director.director().call([&](Registry& registry) {
      director::BlockRequest request;
      request.policy.name = "cart";
      request.policy.kind = BlockKind::shared;
      request.policy.owner = registry.scopes.root().id;
      request.policy.grants.emplace("*", Rights::read_write);
      request.quota_bytes = std::uint64_t{2} << 20U;
      REQUIRE(registry.create_block(request));
    });
    token = director.director().token_for_scope(around.system() + "/main").value();
    segments = around.segments();
    descriptors = open_descriptors();
  }

  // Whether nothing of a worker is there; what it created is destroyed on the way.
  bool is_as_before() {
    bool alone = true;
    director.director().call([&](Registry& registry) {
      for (const auto& [id, worker] : registry.workers.all()) alone = alone && worker.is_director;
      for (const auto* block : registry.blocks.named("mine")) {
        if (alone) return registry.destroy_block(block->id, "the test");
      }
    });
    return alone && around.segments() == segments && open_descriptors() == descriptors;
  }
  void check(unsigned stop) {
    INFO("killed at stop " << stop);
    for (int naps = 0; !is_as_before(); ++naps) {
      REQUIRE(naps < kMostNaps);
      std::this_thread::sleep_for(kNap);
    }
    director.director().call([&](Registry& registry) {
      const auto memory = registry.blocks.named("cart").front()->memory();
      const segment::BlockMemory block(memory.block.data(), memory.block.size(),
                                       memory.reserved.get(), {});
      for (const segment::Finding& finding : segment::fsck(block)) {
        FAIL_CHECK(name(finding.invariant) << ": " << finding.text);
      }
    });
  }

  director::test::Surroundings around;
  director::test::RunningDirector director;
  std::string token;
  std::vector<std::string> segments;
  std::size_t descriptors = 0;
};

}  // namespace

TEST_CASE("a worker killed at any system call of its life leaves nothing behind") {
  Stage stage;
  ::alarm(600);
  unsigned stops = 0;
  {
    Traced whole("as a worker: its life", stage.director.socket(), stage.token);
    REQUIRE(whole.begin());
    while (whole.next()) ++stops;
  }
  stage.check(0);
  REQUIRE(stops > 100);
  for (unsigned stop = 0; stop <= stops; ++stop) {
    Traced victim("as a worker: its life", stage.director.socket(), stage.token);
    REQUIRE(victim.begin());
    bool is_there = true;
    for (unsigned at = 0; at < stop && is_there; ++at) is_there = victim.next();
    victim.kill();
    stage.check(stop);
  }
  std::printf("killed at each of %u stops\n", stops);
}

TEST_CASE("as a worker: its life", "[.life]") {
  ::syscall(kMark);
  {
    auto session = Session::attach();
    REQUIRE(session);
    auto cart = session->open("cart");
    REQUIRE(cart);
    REQUIRE(cart->put("key", "value"));
    REQUIRE(cart->put("key", std::string(40'000, 'v')));
    REQUIRE(cart->increment("count"));
    REQUIRE(cart->get<std::string>("key"));
    REQUIRE(cart->visit("key", [](std::span<const std::byte>) {}));
    REQUIRE(cart->wait("key", Version{}, std::chrono::milliseconds(5)));
    auto reader = session->open("cart", AccessMode::read);
    REQUIRE(reader);
    BlockOptions options;
    options.name = "mine";
    options.kind = "shared";
    options.quota_bytes = std::uint64_t{1} << 20U;
    REQUIRE(session->create(options));
    auto mine = session->open("mine");
    REQUIRE(mine);
    REQUIRE(mine->put("key", "value"));
    REQUIRE(cart->erase("key"));
    REQUIRE(session->destroy("mine"));
  }
  ::_exit(0);
}

}  // namespace sessionblocks::crash
