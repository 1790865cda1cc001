#include "platform/sandbox_selftest.hpp"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>

#include "platform/os_error.hpp"
#include "platform/random.hpp"
#include "platform/sandbox.hpp"
#include "platform/sandbox_attacks.hpp"
#include "platform/shared_segment.hpp"

namespace sessionblocks::platform {
namespace {

constexpr std::uint64_t kSegmentBytes = 8192;
constexpr unsigned kWatchdogSeconds = 30;

// What the child says after each attack.
struct Outcome {
  std::int32_t attack = 0;
  std::int32_t number = 0;
};

// A forked child that is killed and reaped at the end.
class ForkedChild {
 public:
  explicit ForkedChild(pid_t pid) noexcept : pid_(pid) {}
  ForkedChild(const ForkedChild&) = delete;
  ForkedChild& operator=(const ForkedChild&) = delete;
  ~ForkedChild() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);  // our own child, not yet reaped: the number is still its own
    retry_on_eintr([&] { return ::waitpid(pid_, nullptr, 0); });
  }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

 private:
  pid_t pid_;
};

// A file of the runtime folder that is removed at the end.
class SecretFile {
 public:
  explicit SecretFile(std::string path) : path_(std::move(path)) {}
  SecretFile(const SecretFile&) = delete;
  SecretFile& operator=(const SecretFile&) = delete;
  ~SecretFile() { ::unlink(path_.c_str()); }

  Result<void> make() const {
    const UniqueFd fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd || ::write(fd.get(), "secret", 6) != 6) return fail_errno("self-test: make", path_);
    return {};
  }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

class NamedSegment {
 public:
  explicit NamedSegment(std::string name) : name_(std::move(name)) {}
  NamedSegment(const NamedSegment&) = delete;
  NamedSegment& operator=(const NamedSegment&) = delete;
  ~NamedSegment() { static_cast<void>(SharedSegment::unlink(name_)); }

 private:
  std::string name_;
};

// Everything the attacker needs, made before the fork.
struct Stage {
  UniqueFd writable;
  UniqueFd readable;
  UniqueFd abstract_listener;
  std::string abstract_name;
  std::string segment_path;
  std::string victim_segment;
  std::string victim_environ;
  std::string victim_memory;
  std::string victim_descriptor;
  std::string victim_namespace;
  std::string own_writable;
  std::string own_readable;
};

// Forked children have the director's descriptors, its lock among them: they must not outlive it.
void end_with_parent() noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::alarm(kWatchdogSeconds);
}

pid_t fork_victim() noexcept {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  end_with_parent();
  while (true) ::pause();
}

Result<void> listen_abstract(Stage& stage, std::uint64_t number) {
  stage.abstract_name = std::string(1, '\0') + "sessionblocks-selftest-" + std::to_string(number);
  stage.abstract_listener.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(stage.abstract_name.begin(), stage.abstract_name.end(), address.sun_path);
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + stage.abstract_name.size());
  const int fd = stage.abstract_listener.get();
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(fd, 8) != 0) {
    return fail_errno("self-test: listen on an abstract socket");
  }
  return {};
}

Result<void> open_descriptors(Stage& stage, OpenerThread& opener, const std::string& name) {
  auto writable = opener.open(name, Access::read_write);
  if (!writable) return tl::unexpected(writable.error());
  auto readable = opener.open(name, Access::read_only);
  if (!readable) return tl::unexpected(readable.error());
  stage.writable = std::move(*writable);
  stage.readable = std::move(*readable);
  stage.own_writable = "/proc/self/fd/" + std::to_string(stage.writable.get());
  stage.own_readable = "/proc/self/fd/" + std::to_string(stage.readable.get());
  stage.segment_path = "/dev/shm/" + name;
  return {};
}

void aim_at(Stage& stage, pid_t victim) {
  const std::string prefix = "/proc/" + std::to_string(victim);
  stage.victim_segment = prefix + "/root" + stage.segment_path;
  stage.victim_environ = prefix + "/environ";
  stage.victim_memory = prefix + "/mem";
  stage.victim_descriptor = prefix + "/fd/" + std::to_string(stage.readable.get());
  stage.victim_namespace = prefix + "/ns/mnt";
}

AttackTargets targets_of(const Stage& stage, const SecretFile& secret, pid_t victim) {
  AttackTargets targets;
  targets.segment_path = stage.segment_path.c_str();
  targets.victim_segment_path = stage.victim_segment.c_str();
  targets.victim_environ = stage.victim_environ.c_str();
  targets.victim_memory = stage.victim_memory.c_str();
  targets.victim_descriptor = stage.victim_descriptor.c_str();
  targets.victim_namespace = stage.victim_namespace.c_str();
  targets.secret_path = secret.path().c_str();
  targets.own_writable = stage.own_writable.c_str();
  targets.own_readable = stage.own_readable.c_str();
  targets.victim = victim;
  targets.writable_fd = stage.writable.get();
  targets.readable_fd = stage.readable.get();
  targets.abstract_socket = std::span(stage.abstract_name.data(), stage.abstract_name.size());
  return targets;
}

// --- In the child: system calls only ---------------------------------------------------------

bool become(const std::optional<UserIds>& user) noexcept {
  return !user || (::setgroups(user->groups.size(), user->groups.data()) == 0 &&
                   ::setresgid(user->gid, user->gid, user->gid) == 0 &&
                   ::setresuid(user->uid, user->uid, user->uid) == 0);
}

bool map_segment(AttackTargets& targets) noexcept {
  void* const writable =
      ::mmap(nullptr, kSegmentBytes, PROT_READ | PROT_WRITE, MAP_SHARED, targets.writable_fd, 0);
  void* const readable =
      ::mmap(nullptr, kSegmentBytes, PROT_READ, MAP_SHARED, targets.readable_fd, 0);
  targets.writable_memory = static_cast<std::byte*>(writable);
  targets.readable_memory = static_cast<std::byte*>(readable);
  return writable != MAP_FAILED && readable != MAP_FAILED;
}

void attack(AttackTargets targets, std::optional<PreparedSandbox>& sandbox,
            const std::optional<UserIds>& user, int report_fd, int outcome_fd) noexcept {
  end_with_parent();
  const ChildReporter reporter(report_fd);
  if (sandbox && !sandbox->apply_before_user(reporter)) return;
  if (!become(user)) {
    reporter.failed(ChildStep::user);
    return;
  }
  if (sandbox && !sandbox->apply_after_user(reporter)) return;
  if (!map_segment(targets)) {
    reporter.failed(ChildStep::descriptors);
    return;
  }
  ::close(report_fd);
  const auto attacks = sandbox_attacks();
  for (std::size_t index = 0; index < attacks.size(); ++index) {
    const Outcome outcome{.attack = static_cast<std::int32_t>(index),
                          .number = attacks[index].attempt(targets)};
    if (::write(outcome_fd, &outcome, sizeof(outcome)) != sizeof(outcome)) return;
  }
}

// --- In the parent ---------------------------------------------------------------------------

std::string message_of(int number) {
  return std::generic_category().message(number);
}

struct Pipe {
  UniqueFd reading;
  UniqueFd writing;

  static Result<Pipe> make() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("self-test: pipe");
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  }
};

// Reads what the child could not apply; an error when it gave up.
Result<void> read_left_out(int fd, SelftestReport& report) {
  ChildReport message;
  while (retry_on_eintr([&] { return ::read(fd, &message, sizeof(message)); }) == sizeof(message)) {
    const std::string text =
        std::string(child_step_name(message.step)) + ": " + message_of(message.number);
    if (message.fatal) return fail(errc_of_errno(message.number), "self-test: " + text);
    report.left_out.push_back(text);
  }
  return {};
}

void read_outcomes(int fd, SelftestReport& report) {
  for (const Attack& attack : sandbox_attacks()) {
    report.attacks.push_back({std::string(attack.name), false, "not tried: the child ended"});
  }
  Outcome outcome;
  while (retry_on_eintr([&] { return ::read(fd, &outcome, sizeof(outcome)); }) == sizeof(outcome)) {
    AttackResult& result = report.attacks.at(static_cast<std::size_t>(outcome.attack));
    result.refused = outcome.number != 0;
    result.detail = outcome.number != 0 ? message_of(outcome.number) : "it succeeded";
  }
}

Result<SelftestReport> run_attacker(const AttackTargets& targets,
                                    std::optional<PreparedSandbox>& sandbox,
                                    const std::optional<UserIds>& user) {
  auto reports = Pipe::make();
  if (!reports) return tl::unexpected(reports.error());
  auto outcomes = Pipe::make();
  if (!outcomes) return tl::unexpected(outcomes.error());
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("self-test: fork");
  if (pid == 0) {
    attack(targets, sandbox, user, reports->writing.get(), outcomes->writing.get());
    ::_exit(0);
  }
  const ForkedChild attacker(pid);
  reports->writing.reset();
  outcomes->writing.reset();
  SelftestReport report;
  report.gaps = sandbox_gaps();
  if (auto done = read_left_out(reports->reading.get(), report); !done) {
    return tl::unexpected(done.error());
  }
  read_outcomes(outcomes->reading.get(), report);
  return report;
}

}  // namespace

bool SelftestReport::all_refused() const noexcept {
  return std::all_of(attacks.begin(), attacks.end(),
                     [](const AttackResult& result) { return result.refused; });
}

Result<SelftestReport> run_sandbox_selftest(OpenerThread& opener, const SelftestSetup& setup) {
  const auto number = random_u64();
  if (!number) return tl::unexpected(number.error());
  const auto segment = SharedSegment::create(setup.segment_name, kSegmentBytes);
  if (!segment) return tl::unexpected(segment.error());
  const NamedSegment named(setup.segment_name);
  if (auto done = segment->reserve(0, kSegmentBytes); !done) return tl::unexpected(done.error());
  const SecretFile secret(setup.runtime_folder + "/selftest." + std::to_string(*number));
  if (auto done = secret.make(); !done) return tl::unexpected(done.error());

  Stage stage;
  if (auto done = open_descriptors(stage, opener, setup.segment_name); !done) {
    return tl::unexpected(done.error());
  }
  if (auto done = listen_abstract(stage, *number); !done) return tl::unexpected(done.error());
  std::optional<PreparedSandbox> sandbox;
  if (setup.confinement == Confinement::sandbox) {
    SandboxPolicy policy;
    policy.forbidden = {setup.runtime_folder};
    policy.shm = setup.shm;
    auto prepared = PreparedSandbox::prepare(policy);
    if (!prepared) return tl::unexpected(prepared.error());
    sandbox = std::move(*prepared);
  }
  const ForkedChild victim(fork_victim());
  if (victim.pid() < 0) return fail_errno("self-test: fork");
  aim_at(stage, victim.pid());
  return run_attacker(targets_of(stage, secret, victim.pid()), sandbox, setup.user);
}

}  // namespace sessionblocks::platform
