// `user =` in a suite file: who a script is, what the files' modes are, and what is said when it
// cannot be.
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "suite_run.hpp"

namespace confinement {
namespace {

std::string script(const std::string& user, const std::string& shell) {
  return "[script.a]\ncommand = [\"sh\", \"-c\", '''" + shell +
         "''']\nrestart = \"never\"\ntimeout = \"60s\"\nuser = \"" + user + "\"\n";
}

std::string own_name() {
  const passwd* const entry = ::getpwuid(::geteuid());
  return entry == nullptr ? "" : entry->pw_name;
}

bool said(const SuiteRun& run, const std::string& part) {
  INFO(run.err());
  return run.err().find(part) != std::string::npos;
}

const char* const kTellAll = R"(
runtime=$(dirname $SESSIONBLOCKS_SOCKET)
echo "is $(id -u) $(id -g) $(id -G) of $USER at $HOME"
for name in . socket operator.key lock tmp; do
  stat -c "$name %a %u" $runtime/$name
done
stat -c "TMPDIR %a %u" $TMPDIR
echo x > $TMPDIR/file && echo writes TMPDIR
cat $runtime/operator.key 2> /dev/null || echo reads no key
ls $runtime > /dev/null 2>&1 || echo lists no runtime folder
)";

TEST_CASE("a script with a user is that user, with no group of root, in a folder of mode 0711") {
  if (::geteuid() != 0) {
    WARN("skipped: only root can start scripts as other users");
    return;
  }
  // Modes are what they are whatever the umask takes away or leaves.
  const mode_t before = ::umask(GENERATE(mode_t{0}, mode_t{077}));
  SuiteRun run(script("nobody", kTellAll));
  const int code = run.run();
  ::umask(before);
  INFO(run.err());
  CHECK(code == 0);
  const auto nobody = sessionblocks::platform::find_user("nobody").value();
  const std::string uid = std::to_string(nobody.uid);
  const std::string gid = std::to_string(nobody.gid);
  CHECK(lines_of(run.out()) ==
        std::vector<std::string>{
            "is " + uid + " " + gid + " " + gid + " of nobody at " + nobody.home, ". 711 0",
            "socket 666 0", "operator.key 600 0", "lock 600 0", "tmp 711 0", "TMPDIR 700 " + uid,
            "writes TMPDIR", "reads no key", "lists no runtime folder"});
  CHECK(run.leftovers().empty());
}

TEST_CASE("without other users the runtime folder is the director's alone") {
  const std::string name = own_name();
  if (name.empty()) {
    WARN("skipped: this user has no name");
    return;
  }
  // Its own name needs no privilege.
  SuiteRun run(script(name, "stat -c %a $(dirname $SESSIONBLOCKS_SOCKET); id -un; echo $USER"));
  const int code = run.run();
  INFO(run.err());
  CHECK(code == 0);
  CHECK(run.out() == "700\n" + name + "\n" + name + "\n");
}

TEST_CASE("an ordinary user's director says that it cannot start scripts as somebody else") {
  SuiteRun run(script("daemon", "echo started"), DirectorIs::ordinary_user);
  CHECK(run.run() == 2);
  CHECK(said(run, "suite.toml:8:8: "));
  CHECK(said(run, "only root"));
  CHECK(run.out().empty());
  CHECK(run.leftovers().empty());
}

TEST_CASE("an ordinary user's director may name its own user") {
  SuiteRun run(script(::geteuid() == 0 ? "nobody" : own_name(), "id -u"),
               DirectorIs::ordinary_user);
  const int code = run.run();
  INFO(run.err());
  CHECK(code == 0);
  const uid_t uid =
      ::geteuid() == 0 ? sessionblocks::platform::find_user("nobody").value().uid : ::geteuid();
  CHECK(run.out() == std::to_string(uid) + "\n");
}

TEST_CASE("a user that does not exist is an error of the suite file") {
  SuiteRun run(script("nobody-of-this-name", "echo started"));
  CHECK(run.run() == 2);
  CHECK(said(run, "suite.toml:8:8: "));
  CHECK(run.out().empty());
}

}  // namespace
}  // namespace confinement
