#include "platform/spawn.hpp"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "child.hpp"
#include "platform/process.hpp"
#include "platform/shared_segment.hpp"

using namespace sessionblocks;
using namespace sessionblocks::platform;

namespace {

constexpr const char* kSearchPath = "/usr/local/bin:/usr/bin:/bin";

// Runs a command under the system's own programs and collects what it prints on both outputs.
struct Run {
  ExitStatus status;
  std::string output;
  std::vector<std::string> left_out;
};

Program program_of(std::vector<std::string> arguments) {
  Program program;
  program.path = find_program(arguments.front(), kSearchPath, "/").value();
  program.arguments = std::move(arguments);
  program.environment = {"PATH=" + std::string(kSearchPath), "LANG=C.UTF-8"};
  return program;
}

Run run(Program program) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  program.standard_output = writing.get();
  program.standard_error = writing.get();
  ::alarm(test::kWatchdogSeconds);
  auto child = spawn(program);
  writing.reset();
  if (!child) FAIL(child.error().message());
  Run result;
  char text[4096];
  ssize_t length = 0;
  while ((length = ::read(reading.get(), text, sizeof(text))) > 0) {
    result.output.append(text, static_cast<std::size_t>(length));
  }
  result.status = reap(child->pidfd.get()).value();
  result.left_out = child->left_out;
  ::alarm(0);
  return result;
}

Program sandboxed(std::vector<std::string> arguments, const std::string& folder) {
  Program program = program_of(std::move(arguments));
  program.working_folder = folder;
  program.environment.push_back("TMPDIR=" + folder);
  program.environment.push_back("HOME=" + folder);
  program.sandbox.emplace();
  program.sandbox->working_folder = folder;
  return program;
}

// Skips with a message where the machine has no such program.
bool present(const char* command) {
  if (find_program(command, kSearchPath, "/")) return true;
  WARN("skipped: no " << command << " here");
  return false;
}

void check_works(const Run& result, const std::string& expected) {
  INFO(result.output);
  CHECK(result.status.text() == "exit code 0");
  CHECK(result.output == expected);
}

}  // namespace

TEST_CASE("a program gets its arguments, environment, folder and exit code, and nothing else") {
  const test::TemporaryFolder folder;
  Program program = program_of({"sh", "-c", "echo \"$1|$NAME|$(pwd)|$HOME\"; exit 3", "sh", "a b"});
  program.environment = {"NAME=value", "PATH=/usr/bin:/bin"};
  program.working_folder = folder.path();
  const Run result = run(program);
  CHECK(result.status.number == 3);
  CHECK(result.output == "a b|value|" + folder.path() + "|\n");
}

TEST_CASE("only the passed descriptors arrive, at their numbers, even when these cross over") {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() + "/a") << "text of a";
  std::ofstream(folder.path() + "/b") << "text of b";
  // Not close-on-exec, as a careless library would have it.
  const UniqueFd first(::open((folder.path() + "/a").c_str(), O_RDONLY));
  const UniqueFd second(::open((folder.path() + "/b").c_str(), O_RDONLY));
  Program program = program_of({"sh", "-c", "cat <&$1; cat <&$2; ls -m /proc/self/fd", "sh"});
  program.arguments.push_back(std::to_string(second.get()));
  program.arguments.push_back(std::to_string(first.get()));
  program.passed = {{first.get(), second.get()}, {second.get(), first.get()}};
  const Run result = run(program);
  CHECK(result.output.substr(0, 18) == "text of atext of b");
  std::string open;
  for (const char symbol : result.output.substr(18)) open += symbol == '\n' ? ' ' : symbol;
  // 0 to 2, the two, and the one with which ls reads the folder.
  CHECK(std::count(open.begin(), open.end(), ',') == 5);
}

TEST_CASE("the child leads its own process group, blocks no signal and ignores none") {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  ::signal(SIGPIPE, SIG_IGN);
  const Run result =
      run(program_of({"sh", "-c",
                      "grep -E '^Sig(Blk|Ign)' /proc/self/status; ps -o pgid= -p $$ | tr -d ' ' |"
                      " grep -x $$ > /dev/null && echo leads"}));
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  CHECK(result.output == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nleads\n");
}

TEST_CASE("what could not be started is told exactly, and leaves no child") {
  const test::TemporaryFolder folder;
  Program program;
  program.arguments = {"x"};
  program.path = folder.path() + "/absent";
  const auto absent = spawn(program);
  REQUIRE_FALSE(absent);
  CHECK(absent.error() == Errc::not_found);
  CHECK(absent.error().context() ==
        "start " + program.path + ": execute: No such file or directory");

  std::ofstream(folder.path() + "/plain") << "text";
  program.path = folder.path() + "/plain";
  CHECK(spawn(program).error() == Errc::denied);

  program = program_of({"true"});
  program.working_folder = folder.path() + "/absent";
  const auto folderless = spawn(program);
  REQUIRE_FALSE(folderless);
  CHECK(folderless.error().context().find("enter the working folder") != std::string::npos);

  program = program_of({"true"});
  program.passed = {{999, 5}};
  CHECK(spawn(program).error().context().find("pass descriptors") != std::string::npos);
  program.passed = {{0, 1}};
  CHECK(spawn(program).error() == Errc::invalid_argument);
  program.path = "true";
  CHECK(spawn(program).error() == Errc::invalid_argument);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("programs are found as a shell finds them") {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() + "/tool") << "#!/bin/sh\n";
  CHECK(find_program("./tool", "", folder.path()).error() == Errc::denied);
  REQUIRE(::chmod((folder.path() + "/tool").c_str(), 0755) == 0);
  CHECK(find_program("./tool", "", folder.path()).value() == folder.path() + "/tool");
  CHECK(find_program("tool", "/absent:" + folder.path(), "/").value() == folder.path() + "/tool");
  CHECK(find_program("tool", "/usr/bin", folder.path()).error() == Errc::not_found);
  CHECK(find_program("", "/usr/bin", "/").error() == Errc::not_found);
  CHECK(find_program(folder.path(), "", "/").error() == Errc::not_found);
}

TEST_CASE("several threads start programs at once") {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int index = 0; index < 4; ++index) {
    threads.emplace_back([&good] {
      for (int round = 0; round < 10; ++round) {
        Program program;
        program.path = "/bin/true";
        program.arguments = {"true"};
        auto child = spawn(program);
        if (child && reap(child->pidfd.get())->succeeded()) ++good;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(good == 40);
}

TEST_CASE("a program runs as another user, with that user's groups only") {
  if (::geteuid() != 0) {
    WARN("skipped: only root can start programs as another user");
    return;
  }
  Program program = program_of({"sh", "-c", "id -u; id -g; id -G"});
  program.user = find_user("nobody").value();
  std::vector<gid_t> before(256);
  before.resize(static_cast<std::size_t>(::getgroups(256, before.data())));
  const gid_t foreign = 4321;  // a group of the director that the worker must not keep
  REQUIRE(::setgroups(1, &foreign) == 0);
  program.sandbox.emplace();
  const std::string uid = std::to_string(program.user->uid);
  const std::string gid = std::to_string(program.user->gid);
  const Run result = run(program);
  REQUIRE(::setgroups(before.size(), before.data()) == 0);
  check_works(result, uid + "\n" + gid + "\n" + gid + "\n");
  CHECK(find_user("no such user").error() == Errc::not_found);
}

TEST_CASE(
    "bash works in the sandbox: pipes, here-documents, process substitution, temporary files") {
  const test::TemporaryFolder folder;
  if (!present("bash")) return;
  check_works(run(sandboxed({"bash", "-c",
                             "cat <<< one | tr a-z A-Z; cat <(echo two) > file; cat file;"
                             " f=$(mktemp) && echo three > $f && cat $f; (sleep 0 & wait);"
                             " kill -0 $$ && echo four > /dev/null && echo four"},
                            folder.path())),
              "ONE\ntwo\nthree\nfour\n");
}

TEST_CASE("python3 with multiprocessing works in the sandbox") {
  const test::TemporaryFolder folder;
  if (!present("python3")) return;
  std::ofstream(folder.path() + "/job.py") << R"py(
import multiprocessing as mp, threading, subprocess, tempfile
from multiprocessing import shared_memory
def double(x): return 2 * x
if __name__ == '__main__':
    with mp.Pool(2) as pool: print(pool.map(double, [1, 2, 3]))
    lock = mp.Lock()
    with lock: print('lock')
    block = shared_memory.SharedMemory(create=True, size=4096)
    block.buf[0] = 7; print(block.buf[0]); block.close(); block.unlink()
    thread = threading.Thread(target=lambda: print('thread')); thread.start(); thread.join()
    print(subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout.strip())
    with tempfile.TemporaryFile() as file: print(file.write(b'abc'))
)py";
  const Run result = run(sandboxed({"python3", "job.py"}, folder.path()));
  if (!result.left_out.empty()) {
    WARN("skipped: no /dev/shm of its own is permitted here: " << result.left_out.front());
    return;
  }
  check_works(result, "[2, 4, 6]\nlock\n7\nthread\nchild\n3\n");
}

TEST_CASE("node works in the sandbox: timers, threads, files, children") {
  const test::TemporaryFolder folder;
  if (!present("node")) return;
  std::ofstream(folder.path() + "/job.js") << R"js(
const fs = require('fs'), { Worker } = require('worker_threads');
const { execFile } = require('child_process');
fs.promises.writeFile('out', 'text').then(() => fs.promises.readFile('out', 'utf8')).then(t => {
  console.log(t);
  new Worker("require('worker_threads').parentPort.postMessage('thread')", { eval: true })
    .on('message', m => { console.log(m);
      execFile('echo', ['child'], (e, out) => { console.log(e || out.trim());
        setTimeout(() => console.log('timer'), 1); }); });
});
)js";
  check_works(run(sandboxed({"node", "job.js"}, folder.path())), "text\nthread\nchild\ntimer\n");
}

TEST_CASE("git works in the sandbox") {
  const test::TemporaryFolder folder;
  if (!present("git")) return;
  check_works(run(sandboxed({"sh", "-c",
                             "git init -q . && echo x > file && git add file &&"
                             " git -c user.name=n -c user.email=e commit -qm first &&"
                             " git log --format=%s"},
                            folder.path())),
              "first\n");
}

TEST_CASE("with its own /dev/shm a worker sees no segment; with none it cannot look") {
  const test::TemporaryFolder folder;
  const test::NameRemover name{test::unique_name("hidden")};
  REQUIRE(SharedSegment::create(name.name, 4096));
  const test::NameRemover made{test::unique_name("made")};  // in the real one, were it to fail
  const std::string make = "ls -A /dev/shm; echo > /dev/shm/" + made.name + " && echo made";
  Program program = sandboxed({"sh", "-c", make}, folder.path());
  const Run own = run(program);
  if (own.left_out.empty()) {
    check_works(own, "made\n");
  } else {
    WARN("no /dev/shm of its own is permitted here: " << own.left_out.front());
  }
  program.sandbox->shm = ShmChoice::deny;
  const Run denied = run(program);
  CHECK(denied.status.number != 0);
  CHECK(denied.output.find("hidden") == std::string::npos);
  CHECK_FALSE(std::filesystem::exists("/dev/shm/" + made.name));
}
