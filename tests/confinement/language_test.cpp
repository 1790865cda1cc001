// Scripts in bash, python3 and node under the default sandbox, with sessionctl from within; another
// worker reads what they put. And the three choices of `shm`.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "suite_run.hpp"

namespace confinement {
namespace {

const char* const kBash = R"sh(
set -eu
sessionctl put cart greeting "hello from bash"
test "$(sessionctl get cart greeting)" = "hello from bash"
sessionctl incr cart n 5 > /dev/null
for i in 1 2 3; do sessionctl incr cart n > /dev/null & done
wait
cat <(echo "bash counts $(sessionctl get cart n)") | tee $TMPDIR/line > /dev/null
sessionctl put cart result "$(cat $TMPDIR/line)"
)sh";

const char* const kPython = R"py(
import multiprocessing as mp, subprocess
def ctl(*words):
    return subprocess.run(('sessionctl',) + words, check=True, capture_output=True,
                          text=True).stdout.strip()
def count(i):
    ctl('incr', 'cart', 'n', str(i))
    return i * i
def tell(lock, queue, i):
    with lock:
        queue.put(int(ctl('incr', 'cart', 'turns')))
if __name__ == '__main__':
    with mp.Pool(2) as pool:
        squares = pool.map(count, range(5))
    lock, queue = mp.Lock(), mp.Queue()
    others = [mp.Process(target=tell, args=(lock, queue, i)) for i in range(3)]
    for other in others: other.start()
    turns = sorted(queue.get() for _ in others)
    for other in others: other.join()
    ctl('put', 'cart', 'result', f'{squares} {turns} {ctl("get", "cart", "n")}')
)py";

const char* const kNode = R"js(
const { execFileSync, execFile } = require('child_process');
const { Worker } = require('worker_threads');
const ctl = (...words) => execFileSync('sessionctl', words, { encoding: 'utf8' }).trim();
ctl('put', 'cart', 'greeting', 'hello from node');
new Worker("require('worker_threads').parentPort.postMessage('thread')", { eval: true })
  .on('message', m => execFile('sessionctl', ['incr', 'cart', 'n', '7'], (error, out) => {
    if (error) throw error;
    ctl('put', 'cart', 'result', `${m} ${out.trim()} ${ctl('get', 'cart', 'greeting')}`);
  }));
)js";

const char* const kSuite = R"(
[block.cart]
kind = "shared"
owner = "suite"
quota = "1MiB"
grants = { worker = "rw", reader = "r" }
[script.reader]
command = ["./attacker", "read", "result"]
restart = "never"
timeout = "40s"
[script.worker]
restart = "never"
timeout = "90s"
)";

std::string worker(const std::string& interpreter, const std::string& file) {
  return kSuite + ("command = [\"" + interpreter + "\", \"./" + file + "\"]\n");
}

bool present(const char* program) {
  if (fs::exists(std::string("/usr/bin/") + program)) return true;
  WARN("skipped: no " << program << " in /usr/bin");
  return false;
}

bool has_mounts(const SuiteRun& run) {
  return run.err().find("without: enter a mount namespace") == std::string::npos;
}

// multiprocessing keeps its locks in /dev/shm.
bool lacks_shm(const SuiteRun& run, const std::string& file) {
  const auto said = [&run](const char* step) { return run.err().find(step) != std::string::npos; };
  return file == "job.py" && (said("enter a mount namespace") || said("mount a private /dev/shm"));
}

void check_works(SuiteRun& run, const std::string& file, const char* text,
                 const std::string& result) {
  run.copy_program(ATTACKER);
  run.write_file(file, text);
  const int code = run.run();
  if (lacks_shm(run, file)) {
    WARN("skipped: no /dev/shm of its own is permitted here");
    return;
  }
  INFO(run.err());
  CHECK(code == 0);
  CHECK(run.out() == result + "\n");
  CHECK(run.leftovers().empty());
}

TEST_CASE("bash is a worker: its children too use the block, and another worker sees it") {
  SuiteRun run(worker("bash", "job.sh"));
  check_works(run, "job.sh", kBash, "bash counts 8");
}

TEST_CASE("python3 with multiprocessing is a worker: Pool, Lock and Queue") {
  if (!present("python3")) return;
  const std::string shm = GENERATE("auto", "private");
  SuiteRun run(worker("python3", "job.py") + "shm = \"" + shm + "\"\n");
  check_works(run, "job.py", kPython, "[0, 1, 4, 9, 16] [1, 2, 3] 10");
}

TEST_CASE("node is a worker: threads and children") {
  if (!present("node")) return;
  SuiteRun run(worker("node", "job.js"));
  check_works(run, "job.js", kNode, "thread 7 hello from node");
}

TEST_CASE("bash, python3 and node are workers of an ordinary user's director") {
  struct Job {
    const char *interpreter, *file, *text, *result;
  };
  const auto job = GENERATE(Job{"bash", "job.sh", kBash, "bash counts 8"},
                            Job{"node", "job.js", kNode, "thread 7 hello from node"},
                            Job{"python3", "job.py", kPython, "[0, 1, 4, 9, 16] [1, 2, 3] 10"});
  if (!present(job.interpreter)) return;
  SuiteRun run(worker(job.interpreter, job.file), DirectorIs::ordinary_user);
  check_works(run, job.file, job.text, job.result);
}

TEST_CASE("a worker with a user of its own uses sessionctl too") {
  if (::geteuid() != 0) {
    WARN("skipped: only root can start scripts as other users");
    return;
  }
  SuiteRun run(worker("bash", "job.sh") + "user = \"nobody\"\n");
  check_works(run, "job.sh", kBash, "bash counts 8");
}

std::string with_shm(const std::string& choice) {
  return "[script.a]\ncommand = [\"sh\", \"./job.sh\"]\nrestart = \"never\"\n"
         "timeout = \"60s\"\nshm = \"" +
         choice + "\"\n";
}

const char* const kLook = R"sh(
echo "sees $(ls -A /dev/shm 2> /dev/null | wc -l)"
(echo x > /dev/shm/confined-$$) 2> /dev/null && echo made || echo refused
)sh";

TEST_CASE("shm = private is a /dev/shm of its own, or the script does not start") {
  SuiteRun run(with_shm("private"));
  run.write_file("job.sh", kLook);
  const int code = run.run();
  INFO(run.err());
  if (code != 0) {
    CHECK(run.err().find("mount a private /dev/shm") != std::string::npos);
    CHECK(run.out().empty());
    return;
  }
  CHECK(run.out() == "sees 0\nmade\n");
}

TEST_CASE("shm = auto is a /dev/shm of its own where that is permitted, else none") {
  SuiteRun run(with_shm("auto"));
  run.write_file("job.sh", kLook);
  CHECK(run.run() == 0);
  INFO(run.err());
  CHECK(run.out() == (has_mounts(run) ? "sees 0\nmade\n" : "sees 0\nrefused\n"));
}

TEST_CASE("shm = deny is no /dev/shm at all, and python3 says so") {
  if (!present("python3")) return;
  SuiteRun run(with_shm("deny"));
  run.write_file("job.sh", std::string(kLook) + R"sh(
python3 -c "
import multiprocessing
try: multiprocessing.Lock()
except OSError: print('no lock')"
)sh");
  CHECK(run.run() == 0);
  INFO(run.err());
  CHECK(run.out() == "sees 0\nrefused\nno lock\n");
}

}  // namespace
}  // namespace confinement
