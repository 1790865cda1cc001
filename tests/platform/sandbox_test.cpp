#include "platform/sandbox.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <set>

#include "child.hpp"
#include "platform/futex.hpp"
#include "platform/membarrier.hpp"
#include "platform/opener_thread.hpp"
#include "platform/read_only_view.hpp"
#include "platform/sandbox_selftest.hpp"
#include "platform/shared_segment.hpp"
#include "platform/socket.hpp"

using namespace sessionblocks;
using namespace sessionblocks::platform;
using test::exit_of_child;
using test::kNotPermitted;

namespace {

constexpr uid_t kNobody = 65534;

// Runs `body` in a child as an ordinary user, whoever runs the tests.
template <typename Body>
int exit_as_ordinary_user(Body&& body) {
  return exit_of_child([&] {
    if (::geteuid() == 0) {
      if (::setgroups(0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0 ||
          ::setresuid(kNobody, kNobody, kNobody) != 0) {
        return kNotPermitted;
      }
      ::prctl(PR_SET_DUMPABLE, 1);  // exec would do it; without it /proc/self is not our own
    }
    return body();
  });
}

SelftestReport report_of(Confinement confinement, std::optional<UserIds> user = std::nullopt,
                         ShmChoice shm = ShmChoice::automatic) {
  const test::TemporaryFolder folder;
  OpenerThread opener;
  auto report = run_sandbox_selftest(opener, {.segment_name = test::unique_name("selftest"),
                                              .runtime_folder = folder.path(),
                                              .user = std::move(user),
                                              .shm = shm,
                                              .confinement = confinement});
  if (!report) FAIL(report.error().message());
  return std::move(*report);
}

// Attacks that need a newer kernel's Landlock to be refused.
bool kernel_lacks(const std::string& attack) {
  const int abi = landlock::abi();
  if (attack.find("truncat") != std::string::npos) return abi < landlock::kAbiWithTruncate;
  if (attack.find("signal") != std::string::npos || attack.find("abstract") != std::string::npos) {
    return abi < landlock::kAbiWithScopes;
  }
  return abi == 0;
}

// Attacks that only a mount namespace refuses.
bool needs_mounts(const std::string& attack) {
  return attack.find("mode") != std::string::npos;
}

void check_refused(const SelftestReport& report) {
  CHECK(report.attacks.size() > 20);
  for (const AttackResult& result : report.attacks) {
    INFO(result.attack << ": " << result.detail);
    if (kernel_lacks(result.attack)) {
      WARN("this kernel lacks what refuses: " << result.attack);
      continue;
    }
    if (needs_mounts(result.attack) && !report.left_out.empty()) {
      WARN(report.left_out.front() << ", so not refused: " << result.attack);
      continue;
    }
    CHECK(result.refused);
  }
}

SandboxPolicy policy_for(const std::string& folder) {
  SandboxPolicy policy;
  policy.working_folder = folder;
  return policy;
}

// Applies the policy in this (forked) process; false when it could not be.
bool confine(const SandboxPolicy& policy) {
  auto sandbox = PreparedSandbox::prepare(policy);
  const UniqueFd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  const ChildReporter reporter(nowhere.get());
  return sandbox && sandbox->apply_before_user(reporter) && sandbox->apply_after_user(reporter);
}

}  // namespace

TEST_CASE("every attack is refused in the sandbox") {
  check_refused(report_of(Confinement::sandbox));
}

TEST_CASE("every attack is refused also to a worker that has no /dev/shm at all") {
  check_refused(report_of(Confinement::sandbox, std::nullopt, ShmChoice::deny));
}

TEST_CASE("every attack is refused to a worker with a user of its own") {
  if (::geteuid() != 0) {
    WARN("skipped: only root can start workers as another user");
    return;
  }
  check_refused(report_of(Confinement::sandbox, find_user("nobody").value()));
}

TEST_CASE("every attack is refused when an ordinary user runs the director") {
  const int code = exit_as_ordinary_user([] {
    const test::TemporaryFolder folder;
    OpenerThread opener;
    const auto report = run_sandbox_selftest(opener, {.segment_name = test::unique_name("selftest"),
                                                      .runtime_folder = folder.path(),
                                                      .user = std::nullopt,
                                                      .confinement = Confinement::sandbox});
    if (!report) return 1;
    for (const AttackResult& result : report->attacks) {
      if (needs_mounts(result.attack) && !report->left_out.empty()) continue;
      if (!result.refused && !kernel_lacks(result.attack)) return 2;
    }
    for (const std::string& missing : report->left_out) {
      ::fprintf(stderr, "left out for an ordinary user: %s\n", missing.c_str());
    }
    return 0;
  });
  if (code == kNotPermitted) {
    WARN("skipped: cannot become an ordinary user");
    return;
  }
  CHECK(code == 0);
}

TEST_CASE("without the sandbox the attacks succeed, so the test of it means something") {
  const SelftestReport report = report_of(Confinement::none);
  // These the kernel refuses to everybody, by the descriptors that the opener makes or by itself.
  const std::set<std::string> always = {"make a read-only mapping writable",
                                        "reopen a read-only descriptor for writing",
                                        "truncate a granted descriptor"};
  const bool has_view = static_cast<bool>(open_read_only_view("/dev/shm"));
  if (!has_view) WARN("no mount namespace is to be had: read-only descriptors can be reopened");
  for (const AttackResult& result : report.attacks) {
    INFO(result.attack << ": " << result.detail);
    if (!has_view && result.attack == "reopen a read-only descriptor for writing") continue;
    if (always.count(result.attack) != 0) {
      CHECK((result.refused || kernel_lacks(result.attack)));
    } else if (::geteuid() == 0) {
      CHECK_FALSE(result.refused);
    }
  }
}

TEST_CASE("the self-test leaves no segment, file or process") {
  const test::TemporaryFolder folder;
  OpenerThread opener;
  const std::string name = test::unique_name("selftest");
  REQUIRE(run_sandbox_selftest(opener, {.segment_name = name,
                                        .runtime_folder = folder.path(),
                                        .user = std::nullopt,
                                        .shm = ShmChoice::automatic,
                                        .confinement = Confinement::sandbox}));
  CHECK(SharedSegment::list(name)->empty());
  CHECK(std::filesystem::is_empty(folder.path()));
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("a confined worker can still attach: connect, receive a descriptor, map, store, wake") {
  const test::TemporaryFolder runtime;
  const test::TemporaryFolder work;
  const test::NameRemover name{test::unique_name("attach")};
  const auto segment = SharedSegment::create(name.name, 65536);
  OpenerThread opener;
  auto listener = Listener::listen(runtime.path() + "/socket", 0600);
  const auto granted = opener.open(name.name, Access::read_write);
  REQUIRE(granted);
  const pid_t worker = ::fork();
  if (worker == 0) {
    ::alarm(test::kWatchdogSeconds);
    test::use_default_signals();
    SandboxPolicy policy = policy_for(work.path());
    policy.forbidden = {runtime.path()};
    if (!confine(policy)) ::_exit(10);
    auto connection = Connection::connect(runtime.path() + "/socket");
    if (!connection) ::_exit(11);
    // Blocking, for the test's sake.
    ::fcntl(connection->fd(), F_SETFL, 0);
    std::array<std::byte, 16> buffer{};
    Result<Received> received = Received{};
    while (received && received->outcome == ReceiveOutcome::would_block) {
      received = connection->receive(buffer);
    }
    if (!received || !received->descriptor) ::_exit(12);
    const auto mapping = Mapping::from_fd(received->descriptor.get(), 65536, Access::read_write);
    if (!mapping || !mapping->populate_write(0, 65536)) ::_exit(13);
    auto* const word = new (mapping->data()) std::atomic<std::uint32_t>(1);
    futex_wake(*word);
    if (futex_wait_for(*word, 0, std::chrono::seconds(1)) != FutexWait::changed) ::_exit(14);
    if (!register_for_membarrier()) ::_exit(15);
    ::_exit(0);
  }
  std::optional<Connection> server;
  while (!server) {
    auto accepted = listener->accept();
    REQUIRE(accepted);
    server = std::move(*accepted);
    if (::waitpid(worker, nullptr, WNOHANG) != 0) FAIL("the worker ended early");
  }
  const std::array<std::byte, 1> message{};
  REQUIRE(server->send(message, granted->get()).value() == SendOutcome::sent);
  int status = 0;
  REQUIRE(::waitpid(worker, &status, 0) == worker);
  CHECK(WEXITSTATUS(status) == 0);
  const auto mapping = segment->map(Access::read_only);
  CHECK(mapping->data()[0] == std::byte{1});
}

TEST_CASE("a confined worker writes its folders and reads what was allowed, and nothing else") {
  const test::TemporaryFolder work;
  const test::TemporaryFolder data;
  const test::TemporaryFolder other;
  const auto creates = [](const std::string& path) {
    return UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)).get() >= 0;
  };
  const auto reads = [](const std::string& path) {
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)).get() >= 0;
  };
  REQUIRE(creates(data.path() + "/input"));
  REQUIRE(creates(other.path() + "/private"));
  const int code = exit_of_child([&] {
    SandboxPolicy policy = policy_for(work.path());
    policy.read_paths = {data.path()};
    if (!confine(policy)) return 1;
    if (!creates(work.path() + "/output")) return 2;
    if (!reads(data.path() + "/input")) return 3;
    if (creates(data.path() + "/input") || creates(data.path() + "/new")) return 4;
    if (reads(other.path() + "/private") || creates(other.path() + "/new")) return 5;
    if (!reads("/etc/passwd") || !reads("/dev/urandom") || !creates("/dev/null")) return 6;
    if (reads("/root") || reads("/dev") || reads("/")) return 7;
    return 0;
  });
  CHECK(code == 0);
}

TEST_CASE("a temporary folder inside the runtime folder is writable, its surroundings are not") {
  const test::TemporaryFolder runtime;
  const std::string temporary = runtime.path() + "/tmp";
  std::filesystem::create_directory(temporary);
  const int code = exit_of_child([&] {
    SandboxPolicy policy;
    policy.temporary_folder = temporary;
    policy.forbidden = {runtime.path()};
    if (!confine(policy)) return 1;
    const UniqueFd made(::open((temporary + "/x").c_str(), O_WRONLY | O_CREAT, 0600));
    if (!made || ::chmod((temporary + "/x").c_str(), 0644) != 0) return 2;
    return ::access((temporary + "/x").c_str(), R_OK) == 0 ? 0 : 3;
  });
  CHECK(code == 0);
  CHECK(std::filesystem::exists(temporary + "/x"));
}

TEST_CASE("root's worker has no capability, and no exec gives one back") {
  const int code = exit_of_child([] {
    if (!confine({})) return 1;
    // As uid 0 this would show all of them.
    return ::execl("/bin/sh", "sh", "-c",
                   "! grep -E '^Cap(Eff|Prm|Bnd):' /proc/self/status"
                   " | grep -v 0000000000000000",
                   nullptr);
  });
  if (::geteuid() == 0) CHECK(code == 0);
}

TEST_CASE("a forbidden folder and an allowed path that meets it are refused, both named") {
  const test::TemporaryFolder root;
  const std::string runtime = root.path() + "/runtime";
  std::filesystem::create_directories(runtime + "/tmp");
  std::filesystem::create_directory_symlink(root.path(), root.path() + "/link");
  SandboxPolicy policy;
  policy.forbidden = {runtime};
  for (const std::string& path :
       {root.path(), runtime, runtime + "/tmp", root.path() + "/link", runtime + "/../"}) {
    policy.write_paths = {path};
    const auto sandbox = PreparedSandbox::prepare(policy);
    INFO(path);
    REQUIRE_FALSE(sandbox);
    CHECK(sandbox.error() == Errc::invalid_argument);
    CHECK(sandbox.error().context().find(runtime) != std::string::npos);
  }
  std::filesystem::create_directory(root.path() + "/runtime2");  // a longer name is another folder
  policy.write_paths = {root.path() + "/runtime2"};
  policy.temporary_folder = runtime + "/tmp";
  CHECK(PreparedSandbox::prepare(policy).has_value());
  policy.write_paths = {root.path() + "/absent"};
  CHECK(PreparedSandbox::prepare(policy).error() == Errc::not_found);
  policy.write_paths = {};
  policy.forbidden = {"/usr/share"};
  CHECK(PreparedSandbox::prepare(policy).error() == Errc::invalid_argument);
}
