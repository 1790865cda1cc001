// director_cost [--blocks N] [--workers N] [--seconds N] [--json]
//
// What a director costs: making blocks, attaching workers (processes of their own), opening a block
// in each, and then looking after all of them while nobody does anything.
#include <sessionblocks/sessionblocks.hpp>

#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "director/embedded.hpp"
#include "director/logs.hpp"
#include "layout/worker.hpp"
#include "platform/clock.hpp"
#include "platform/process.hpp"

namespace {

using namespace sessionblocks;

constexpr int kBoardFd = 3;
constexpr unsigned kMostWorkers = 1'000;
constexpr std::uint64_t kBlockBytes = std::uint64_t{1} << 20U;

struct Options {
  unsigned blocks = 1'000;
  unsigned workers = 100;
  unsigned seconds = 10;
  bool json = false;
};

// What the workers measured, in memory that both sides map.
struct Board {
  std::atomic<unsigned> done;
  double attach_us[kMostWorkers];
  double open_us[kMostWorkers];
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "director_cost: %s\n", what.c_str());
  std::exit(1);
}
template <typename T>
T must(Result<T> result) {
  if (!result) die(result.error().message());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}
Board& map_board(int fd) {
  void* const memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) die("cannot map the board");
  return *static_cast<Board*>(memory);
}
std::string block_name(unsigned block) {
  return "block" + std::to_string(block);
}
double us_since(std::uint64_t start_ns) {
  return static_cast<double>(platform::monotonic_ns() - start_ns) / 1'000;
}
double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size()));
  return values.empty() ? 0 : values[std::min(at, values.size() - 1)];
}
double processor_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

int work(unsigned number, unsigned blocks) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  Board& board = map_board(kBoardFd);
  const std::uint64_t before_attach = platform::monotonic_ns();
  auto session = must(Session::attach());
  board.attach_us[number] = us_since(before_attach);
  const std::uint64_t before_open = platform::monotonic_ns();
  auto block = must(session.open(block_name(number % blocks)));
  board.open_us[number] = us_since(before_open);
  must(block.put("key", "value"));
  board.done.fetch_add(1);
  for (;;) ::pause();
}

class System {
 public:
  explicit System(const Options& options) : options_(options) {
    folder_ = std::filesystem::temp_directory_path() / "director-cost-XXXXXX";
    if (::mkdtemp(folder_.data()) == nullptr) die("cannot make " + folder_);
    auto logs = director::make_logs({folder_ + "/log", "bench", nullptr});
    director::EmbeddedSetup setup;
    setup.runtime_directory = folder_ + "/run";
    setup.ring_records = layout::kDefaultRingRecords;  // as a suite has
    setup.events = logs.events;
    setup.make_audit = logs.make_audit;
    director_ = must(director::EmbeddedDirector::start(std::move(setup)));
    token_ = must(director_->director().token_for_scope("embedded/worker"));
    board_fd_.reset(static_cast<int>(::memfd_create("board", MFD_CLOEXEC)));
    if (!board_fd_ || ::ftruncate(board_fd_.get(), sizeof(Board)) != 0) die("no board");
    board_ = &map_board(board_fd_.get());
  }
  ~System() {
    for (const pid_t child : children_) {
      const auto pidfd = platform::open_pidfd(child);
      if (!pidfd) continue;
      static_cast<void>(platform::send_signal(pidfd->get(), SIGKILL));
      static_cast<void>(platform::reap(pidfd->get()));
    }
    director_.reset();
    ::munmap(board_, sizeof(Board));
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  System(const System&) = delete;
  System& operator=(const System&) = delete;

  std::vector<double> create_blocks() {
    std::vector<double> took_us;
    for (unsigned block = 0; block < options_.blocks; ++block) {
      const std::uint64_t before = platform::monotonic_ns();
      Result<BlockId> made;
      director_->director().call([&](director::Registry& registry) {
        director::BlockRequest request;
        request.policy.name = block_name(block);
        request.policy.kind = BlockKind::shared;
        request.policy.grants.emplace("*", Rights::read_write);
        request.policy.owner = registry.scopes.root().id;
        request.quota_bytes = kBlockBytes;
        made = registry.create_block(request);
      });
      must(std::move(made));
      took_us.push_back(us_since(before));
    }
    return took_us;
  }

  // One after the other: what one costs, not what a crowd does.
  const Board& attach_workers() {
    for (unsigned number = 0; number < options_.workers; ++number) {
      children_.push_back(start_worker(number));
      while (board_->done.load() == number) {
        if (::kill(children_.back(), 0) != 0) die("a worker has ended");
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    return *board_;
  }

  // Of one core, in percent.
  [[nodiscard]] double idle_percent() const {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    const double before = processor_seconds();
    std::this_thread::sleep_for(std::chrono::seconds(options_.seconds));
    return 100 * (processor_seconds() - before) / options_.seconds;
  }

 private:
  pid_t start_worker(unsigned number) {
    std::vector<std::string> variables = {"SESSIONBLOCKS_SOCKET=" + director_->director().socket(),
                                          "SESSIONBLOCKS_SCOPE=embedded/worker",
                                          "SESSIONBLOCKS_TOKEN=" + token_};
    std::vector<char*> environment;
    for (auto& variable : variables) environment.push_back(variable.data());
    environment.push_back(nullptr);
    std::vector<std::string> words = {"director_cost", "worker", std::to_string(number),
                                      std::to_string(options_.blocks)};
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, board_fd_.get(), kBoardFd);
    pid_t child = -1;
    const int failed = ::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, arguments.data(),
                                     environment.data());
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) die("a worker does not start");
    return child;
  }

  const Options& options_;
  std::string folder_;
  std::unique_ptr<director::EmbeddedDirector> director_;
  std::string token_;
  platform::UniqueFd board_fd_;
  Board* board_ = nullptr;
  std::vector<pid_t> children_;
};

int run(const Options& options) {
  System system(options);
  const auto create = system.create_blocks();
  const Board& board = system.attach_workers();
  const std::vector<double> attach(board.attach_us, board.attach_us + options.workers);
  const std::vector<double> open(board.open_us, board.open_us + options.workers);
  const double idle = system.idle_percent();
  const auto row = [](const std::vector<double>& us) {
    return nlohmann::json{{"p50_us", quantile(us, 0.5)}, {"p99_us", quantile(us, 0.99)}};
  };
  if (options.json) {
    const nlohmann::json report = {{"blocks", options.blocks}, {"workers", options.workers},
                                   {"create", row(create)},    {"attach", row(attach)},
                                   {"open", row(open)},        {"idle_percent_of_core", idle}};
    std::printf("%s\n", report.dump(2).c_str());
    return 0;
  }
  std::printf("%u blocks, %u workers            p50 us     p99 us\n", options.blocks,
              options.workers);
  const auto line = [](const char* what, const std::vector<double>& us) {
    std::printf("%-30s %10.1f %10.1f\n", what, quantile(us, 0.5), quantile(us, 0.99));
  };
  line("create a block", create);
  line("attach a worker", attach);
  line("open a block", open);
  std::printf("director, nobody doing anything: %.2f %% of a core\n", idle);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == "worker") {
    return work(static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)) % kMostWorkers,
                static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10)));
  }
  Options options;
  CLI::App app("What a director costs, busy with requests and idle.");
  app.add_option("--blocks", options.blocks, "blocks of 1 MiB")->check(CLI::Range(1, 10'000));
  app.add_option("--workers", options.workers, "processes")->check(CLI::Range(1U, kMostWorkers));
  app.add_option("--seconds", options.seconds, "idle time measured")->check(CLI::Range(1, 600));
  app.add_flag("--json", options.json, "as a JSON object");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return run(options);
}
