// flowlog_throughput: how many operations a second worker processes do while FlowLog keeps all of
// them in files on disk, and what that takes; then whether it kept all of them.
//
// Each worker is a process that attaches to a director of its own folder, with audit full and the
// policy wait, and reads values of 64 bytes: of one key with a probability of --hot, else of any of
// 1,000. It counts what it did in memory that it shares with this program. When all have ended, the
// log is verified from its first byte to its last, and must have as many gets as they did.
//
// Every wait is bounded: workers end by their own clock, an alarm ends whatever hangs.
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sessionblocks/sessionblocks.hpp>
#include <string>
#include <vector>

#include "director/embedded.hpp"
#include "director/logs.hpp"
#include "flowlog/verify.hpp"
#include "platform/clock.hpp"

namespace {

using namespace sessionblocks;

constexpr unsigned kKeys = 1'000;
constexpr unsigned kMaxWorkers = 64;
constexpr unsigned kRound = 4'096;       // operations between two looks at the clock
constexpr unsigned kSpareSeconds = 600;  // for verifying

struct Options {
  unsigned seconds = 5;
  unsigned workers = 1;
  unsigned hot_percent = 70;
  std::string folder = "flowlog-throughput";
};

// Of a thread: what it ran, and what it waited for a core.
struct Spent {
  double ran_s = 0;
  double waited_s = 0;
};

Spent spent_by(const std::string& proc) {
  Spent spent;
  std::ifstream(proc + "/schedstat") >> spent.ran_s >> spent.waited_s;
  return {spent.ran_s / 1e9, spent.waited_s / 1e9};
}

// What a worker and this program tell each other.
struct Shared {
  std::atomic<std::uint32_t> go;
  struct alignas(64) PerWorker {
    std::atomic<std::uint32_t> is_ready;
    std::uint64_t operations;
    std::uint64_t busy_ns;
    Spent spent;
  };
  PerWorker workers[kMaxWorkers];
};

template <typename T>
T must(Result<T> result, const char* what) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s: %s\n", what, result.error().message().c_str());
  std::exit(1);
}

std::string name_of(unsigned key) {
  return "key " + std::to_string(key);
}

void read_all_the_time(Block& block, const Options& options, Shared::PerWorker& mine,
                       unsigned number) {
  std::vector<std::string> keys;
  for (unsigned i = 0; i < kKeys; ++i) keys.push_back(name_of(i));
  std::array<std::byte, 64> value{};
  std::uint64_t random = (number + 1) * 0x9E37'79B9'7F4A'7C15U;
  const Spent before = spent_by("/proc/self");
  const std::uint64_t begun = platform::monotonic_ns();
  const std::uint64_t end = begun + std::uint64_t{options.seconds} * 1'000'000'000U;
  std::uint64_t now = begun;
  for (; now < end; now = platform::monotonic_ns()) {
    for (unsigned i = 0; i < kRound; ++i) {
      random = random * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
      const bool is_hot = (random >> 33U) % 100 < options.hot_percent;
      const std::string& key = keys[is_hot ? 0 : (random >> 20U) % kKeys];
      if (!block.get_into(key, value)) ::_exit(3);
    }
    mine.operations += kRound;
  }
  mine.busy_ns = now - begun;
  const Spent after = spent_by("/proc/self");
  mine.spent = {after.ran_s - before.ran_s, after.waited_s - before.waited_s};
}

// In a process of its own. Socket and token come through `from`.
[[noreturn]] void work(const Options& options, Shared& shared, unsigned number, int from) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::alarm(options.seconds + 60);
  std::string told(4'096, '\0');
  const auto bytes = ::read(from, told.data(), told.size());
  if (bytes <= 0) ::_exit(2);
  told.resize(static_cast<std::size_t>(bytes));
  AttachOptions attach;
  attach.socket = told.substr(0, told.find('\n'));
  attach.token = told.substr(told.find('\n') + 1);
  attach.scope = "embedded/worker";
  {
    auto session = must(Session::attach(attach), "attach");
    auto block = must(session.open("bench"), "open");
    Shared::PerWorker& mine = shared.workers[number];
    mine.is_ready.store(1);
    while (shared.go.load() == 0) ::usleep(100);
    read_all_the_time(block, options, mine, number);
  }
  ::_exit(0);
}

struct Child {
  pid_t pid = 0;
  int to = -1;
};

Child start_worker(const Options& options, Shared& shared, unsigned number) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) std::exit(1);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[1]);
    work(options, shared, number, ends[0]);
  }
  ::close(ends[0]);
  return {pid, ends[1]};
}

// Of the director's threads, by their names.
std::map<std::string, Spent> spent_by_threads() {
  std::map<std::string, Spent> all;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    const Spent spent = spent_by(task.path().native());
    all[name].ran_s += spent.ran_s;
    all[name].waited_s += spent.waited_s;
  }
  return all;
}

void print(const char* who, Spent spent, double operations) {
  std::printf("%-10s ran %6.2f s, %5.1f ns an operation; waited for a core %6.2f s\n", who,
              spent.ran_s, spent.ran_s * 1e9 / operations, spent.waited_s);
}

std::unique_ptr<director::EmbeddedDirector> start_director(const Options& options) {
  director::LogOptions log;
  log.folder = options.folder;
  log.system = "bench";
  log.budget_bytes = std::uint64_t{1} << 40U;
  director::Logs logs = director::make_logs(std::move(log));
  director::EmbeddedSetup setup;
  setup.ring_records = layout::kDefaultRingRecords;
  setup.make_audit = logs.make_audit;
  setup.events = logs.events;
  return must(director::EmbeddedDirector::start(std::move(setup)), "start a director");
}

void make_block(director::Director& director) {
  director.call([](director::Registry& registry) {
    director::BlockRequest request;
    request.policy.name = "bench";
    request.policy.kind = BlockKind::shared;
    request.policy.owner = registry.scopes.root().id;
    request.policy.grants = {{"*", Rights::read_write}};
    request.quota_bytes = std::uint64_t{8} << 20U;
    static_cast<void>(must(registry.create_block(request), "create"));
  });
}

void fill(director::Director& director, const std::string& token) {
  AttachOptions attach;
  attach.socket = director.socket();
  attach.token = token;
  attach.scope = "embedded/worker";
  auto session = must(Session::attach(attach), "attach");
  auto block = must(session.open("bench"), "open");
  const std::string value(64, 'v');
  for (unsigned i = 0; i < kKeys; ++i) must(block.put(name_of(i), value), "put");
}

double all_bytes(const std::string& folder) {
  double bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() == ".sblog") bytes += static_cast<double>(file.file_size());
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("what FlowLog takes to files, and whether it has all of it");
  app.add_option("--seconds", options.seconds)->check(CLI::Range(1U, 3'600U));
  app.add_option("--workers", options.workers)->check(CLI::Range(1U, kMaxWorkers));
  app.add_option("--hot", options.hot_percent, "percent of reads of one key")
      ->check(CLI::Range(0U, 100U));
  app.add_option("--folder", options.folder, "on disk; must not be there, and goes afterwards");
  CLI11_PARSE(app, argc, argv);
  if (std::filesystem::exists(options.folder)) {
    return std::fprintf(stderr, "%s is there already; name another folder, or remove it\n",
                        options.folder.c_str()),
           1;
  }
  ::alarm(options.seconds + kSpareSeconds);
  void* const memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  auto& shared = *new (memory) Shared();
  std::vector<Child> children;
  for (unsigned i = 0; i < options.workers; ++i) {
    children.push_back(start_worker(options, shared, i));
  }
  auto system = start_director(options);
  make_block(system->director());
  const std::string token = must(system->director().token_for_scope("embedded/worker"), "token");
  fill(system->director(), token);
  const std::string told = system->director().socket() + "\n" + token;
  for (const Child& child : children) {
    if (::write(child.to, told.data(), told.size()) < 0) return 1;
    ::close(child.to);
  }
  for (unsigned i = 0; i < options.workers; ++i) {
    while (shared.workers[i].is_ready.load() == 0) {
      if (::waitpid(children[i].pid, nullptr, WNOHANG) != 0) return 1;
      ::usleep(100);
    }
  }
  const auto before = spent_by_threads();
  const double bytes_before = all_bytes(options.folder);
  const std::uint64_t begun = platform::monotonic_ns();
  shared.go.store(1);
  int failed = 0;
  for (const Child& child : children) {
    int status = 0;
    ::waitpid(child.pid, &status, 0);
    if (status != 0) ++failed;
  }
  auto spent = spent_by_threads();
  system.reset();  // all is in files now
  const double took_s = static_cast<double>(platform::monotonic_ns() - begun) / 1e9;
  std::uint64_t operations = 0;
  double per_s = 0;
  Spent workers;
  for (unsigned i = 0; i < options.workers; ++i) {
    const Shared::PerWorker& one = shared.workers[i];
    operations += one.operations;
    per_s += static_cast<double>(one.operations) * 1e9 / static_cast<double>(one.busy_ns);
    workers.ran_s += one.spent.ran_s;
    workers.waited_s += one.spent.waited_s;
  }
  const auto done = static_cast<double>(operations);
  const double bytes = all_bytes(options.folder) - bytes_before;
  std::printf("workers %u, %u s, %u %% of reads of one key\n", options.workers, options.seconds,
              options.hot_percent);
  std::printf("operations %.0f: %.2f M/s as the workers see it, %.2f M/s until all was in files\n",
              done, per_s / 1e6, done / took_s / 1e6);
  std::printf("bytes %.0f: %.3f an operation\n", bytes, bytes / done);
  print("workers", workers, done);
  for (const char* name : {"log drain", "log write"}) {
    const Spent old = before.contains(name) ? before.at(name) : Spent{};
    print(name, {spent[name].ran_s - old.ran_s, spent[name].waited_s - old.waited_s}, done);
  }
  std::fflush(stdout);
  const auto report = must(flowlog::verify(options.folder), "verify");
  // The puts that filled the block, definitions of keys included, are there too.
  const std::uint64_t others = report.operations - std::min(report.operations, operations);
  const bool has_all = failed == 0 && report.is_whole() && report.missing_cells == 0 &&
                       report.operations >= operations &&
                       others <= 3 * kKeys * (options.workers + 1);
  std::printf(
      "%s\nrecords %llu, %.3f bytes a record; operations in the log that are not the "
      "workers' gets: %llu\n%s\n",
      report.text().c_str(), static_cast<unsigned long long>(report.records),
      bytes / static_cast<double>(report.records), static_cast<unsigned long long>(others),
      has_all ? "nothing is lost" : "NOT ALL IS THERE");
  std::error_code ignored;
  std::filesystem::remove_all(options.folder, ignored);
  return has_all ? 0 : 1;
}
