// A worker under `flowdirector run` gets nothing that it was not granted. The attacks are those of
// tests/attacker, which runs as one script against the director and against another script.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "platform/landlock.hpp"
#include "platform/user.hpp"
#include "suite_run.hpp"

namespace confinement {
namespace {

namespace landlock = sessionblocks::platform::landlock;

struct Users {
  std::string attacker, sibling;  // empty: the director's
  [[nodiscard]] bool differ() const { return attacker != sibling; }
};

std::string user_line(const std::string& user) {
  return user.empty() ? "" : "user = \"" + user + "\"\n";
}

// An abstract socket that belongs to nobody of the suite.
class OutsideListener {
 public:
  OutsideListener() : name_("sessionblocks-outside-" + std::to_string(::getpid())) {
    fd_.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name_.copy(address.sun_path + 1, name_.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name_.size());
    REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(fd_.get(), 8) == 0);
  }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
  sessionblocks::platform::UniqueFd fd_;
};

std::string suite_of(const SuiteRun& run, const Users& users, const std::string& outside,
                     const std::vector<std::string>& only = {}) {
  const std::string environment = "env = { OUTSIDE_SOCKET = \"" + outside + "\", LOG_FOLDER = \"" +
                                  run.logs().native() + "\", SUITE_FOLDER = \"" +
                                  run.suite().native() + "\", OWN_PROGRAM = \"" +
                                  (run.suite() / "attacker").native() + "\" }\n";
  std::string mode = users.differ() ? ", \"users\"" : "";
  for (const std::string& name : only) mode += ", \"" + name + "\"";
  return R"(
[block.cart]
kind = "shared"
owner = "suite"
quota = "1MiB"
grants = { attacker = "rw", sibling = "rw" }
[block.settings]
kind = "shared"
owner = "suite"
quota = "1MiB"
grants = { attacker = "r", sibling = "rw" }
[block.vault]
kind = "private"
owner = "script.sibling"
quota = "1MiB"
[script.attacker]
command = ["./attacker", "attack")" +
         mode + R"(]
restart = "never"
timeout = "90s"
may_create = ["mine-*"]
)" + environment +
         user_line(users.attacker) + R"(
[script.sibling]
command = ["./attacker", "sibling"]
restart = "never"
timeout = "90s"
)" + environment +
         user_line(users.sibling);
}

std::vector<std::string> names_of_attacks(const Users& users) {
  std::vector<std::string> words = {ATTACKER, "list"};
  if (users.differ()) words.emplace_back("users");
  const ProgramOutput listed = output_of(words);
  REQUIRE(listed.code == 0);
  return lines_of(listed.out);
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

// What this kernel, or the director's lack of privileges, cannot refuse (sandbox_gaps says so too).
std::string why_not_refused(const std::string& attack, const std::string& said) {
  const int abi = landlock::abi();
  if (abi < landlock::kAbiWithTruncate && contains(attack, "trunc")) return "Landlock ABI 3";
  const bool scoped = contains(attack, "signal") || contains(attack, "abstract");
  if (abi < landlock::kAbiWithScopes && scoped) return "Landlock ABI 6";
  if (abi == 0) return "Landlock";
  const bool needs_mounts = contains(attack, "the mode") || contains(attack, "to everybody") ||
                            contains(attack, "the times") || contains(attack, "attribute") ||
                            contains(attack, "child with another worker's launch token");
  if (needs_mounts && contains(said, "without: enter a mount namespace"))
    return "A mount namespace";
  return {};
}

struct AttackLine {
  std::string name, answer;  // "refused ..." and so on; empty when it was not tried
};

std::vector<AttackLine> results_of(const std::string& out, const std::vector<std::string>& names) {
  const auto lines = lines_of(out);
  std::vector<AttackLine> results;
  for (const std::string& name : names) {
    AttackLine result{name, {}};
    for (const std::string& line : lines) {
      if (line.rfind(name + ": ", 0) == 0) result.answer = line.substr(name.size() + 2);
    }
    results.push_back(result);
  }
  return results;
}

void check_all_refused(const SuiteRun& run, const Users& users) {
  const auto names = names_of_attacks(users);
  CHECK(names.size() > 150);
  for (const AttackLine& result : results_of(run.out(), names)) {
    INFO(result.name << ": " << result.answer);
    const std::string lacking = why_not_refused(result.name, run.err());
    if (!lacking.empty()) {
      WARN(lacking << " is missing here, which would refuse: " << result.name);
      CHECK_FALSE(result.answer.empty());
      continue;
    }
    CHECK(result.answer.rfind("refused", 0) == 0);
  }
}

void attack_as(const Users& users, DirectorIs director = DirectorIs::whoever_tests) {
  const OutsideListener outside;
  SuiteRun run("", director);
  run.copy_program(ATTACKER);
  run.write_suite(suite_of(run, users, outside.name()));
  const int code = run.run();
  check_all_refused(run, users);
  INFO(run.err());
  CHECK(code == 0);
  for (const char* permitted : {"create mine-1", "destroy mine-1", "write TMPDIR"}) {
    CHECK(contains(run.out(), (std::string("permitted: ") + permitted + " works\n").c_str()));
  }
  CHECK(run.leftovers().empty());
}

TEST_CASE("a worker gets nothing that it was not granted") {
  attack_as({});
}

TEST_CASE("a worker gets nothing that it was not granted by an ordinary user's director") {
  if (::geteuid() != 0) return;  // the case above was that
  attack_as({}, DirectorIs::ordinary_user);
}

TEST_CASE("scripts of different users get nothing of each other, nor of root") {
  if (::geteuid() != 0) {
    WARN("skipped: only root can start scripts as other users");
    return;
  }
  const mode_t before = ::umask(077);  // what others must enter is open whatever the umask is
  attack_as({"nobody", "daemon"});
  ::umask(before);
}

// Some for each part of the sandbox; the run goes on when they succeed.
const std::vector<std::string> kHarmless = {
    "control by name: open to write",
    "sibling's vault by name: open to read",
    "readers of the vault by name: open to write",
    "sibling's worker segment by name: open to write",
    "settings (r): reopen to write",
    "settings (r): open it to everybody (fchmod)",
    "files: read operator.key",
    "files: list the runtime folder",
    "files: list the log folder",
    "files: write the suite file",
    "files: change the mode of the suite file",
    "files: change the mode of a program, which could make it setuid",
    "place: a child with another worker's launch token",
    "director: read another process's environment",
    "director: open another process's memory",
    "director: open another process's descriptor",
    "director: read its memory at a known address",
    "director: trace another process (ptrace)",
    "director: signal another process",
    "director: signal it by a pidfd",
    "director: reach another process's limits (prlimit)",
    "director: connect to an abstract socket",
    "sibling: read its memory at a known address",
    "sibling: write its memory (process_vm_writev)",
    "sibling: read its address map",
    "sibling: read a file of the runtime folder",
};

#if defined(__SANITIZE_THREAD__)
constexpr bool kMovesMemory = true;
#elif defined(__has_feature)
constexpr bool kMovesMemory = __has_feature(thread_sanitizer);  // it lays memory out differently
#else
constexpr bool kMovesMemory = false;
#endif

TEST_CASE("without the sandbox the same attacks succeed, so they do reach what protects") {
  if (::geteuid() != 0) {
    WARN("skipped: what an ordinary user may do to itself differs between machines");
    return;
  }
  const OutsideListener outside;
  SuiteRun run("");
  run.copy_program(ATTACKER);
  run.write_suite(suite_of(run, {}, outside.name(), kHarmless));
  static_cast<void>(run.run({"--no-sandbox"}));
  for (const AttackLine& result : results_of(run.out(), kHarmless)) {
    INFO(result.name << ": " << result.answer);
    if (kMovesMemory && contains(result.name, "at a known address")) continue;
    // Opened through the opener's view, which does not depend on the sandbox.
    const bool always = contains(result.name, "settings (r)");
    CHECK(result.answer.rfind(always ? "refused" : "SUCCEEDED", 0) == 0);
  }
  CHECK(run.leftovers().empty());
}

}  // namespace
}  // namespace confinement
