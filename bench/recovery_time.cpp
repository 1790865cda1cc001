// recovery_time [--json] [--samples N] [--busy]
//
// From the SIGKILL of a worker in the middle of operations to the moment at which the director has
// nothing left of it: its lane recovered, its pages without an owner, its hazards cleared, its
// records logged, its segment and its attachment gone. For several numbers of entries in the block
// and of workers that hold it. The one that dies works without a rest; the others do 20,000
// operations a second together, or with --busy work without a rest as well.
#include <sessionblocks/sessionblocks.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "director/embedded.hpp"
#include "director/logs.hpp"
#include "layout/readers.hpp"
#include "platform/clock.hpp"
#include "platform/process.hpp"
#include "recovery_report.hpp"
#include "segment/block_memory.hpp"

namespace {

using namespace sessionblocks;
using namespace sessionblocks::bench;

constexpr unsigned kMostWorkers = 100;
constexpr int kBoardFd = 3;
constexpr std::uint64_t kBetweenRests = 4;  // operations
constexpr const char* kBlock = "bench";

// Orders for the workers, in memory that both sides map.
struct Board {
  struct alignas(64) Seat {
    std::atomic<std::uint64_t> operations;
    std::atomic<std::uint32_t> is_hot;
    std::atomic<std::uint32_t> worker;
  };
  std::uint64_t entries;
  std::uint32_t workers;
  Seat seats[kMostWorkers];
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "recovery_time: %s\n", what.c_str());
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
void nap_us(long time) {
  const timespec span{0, time * 1'000};
  ::nanosleep(&span, nullptr);
}
std::string key_of(std::uint64_t entry) {
  return "visitor/" + std::to_string(entry);
}

// ------------------------------------------------------------------------------------- worker

int work(unsigned seat_number) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  Board& board = map_board(kBoardFd);
  Board::Seat& seat = board.seats[seat_number];
  auto session = must(Session::attach());
  auto block = must(session.open(kBlock));
  const std::string value(64, 'v');
  std::mt19937_64 random(seat_number + 1);
  seat.worker.store(session.worker_id());
  for (std::uint64_t i = 0;; ++i) {
    const std::string key = key_of(random() % board.entries);
    if (i % 4 == 0) {
      if (!block.get<std::string>(key)) return 1;
    } else if (!block.put(key, value)) {
      return 1;
    }
    seat.operations.store(i + 1, std::memory_order_relaxed);
    const bool rests = seat.is_hot.load(std::memory_order_relaxed) == 0;
    if (rests && i % kBetweenRests == kBetweenRests - 1) nap_us(200L * board.workers);
  }
}

// ----------------------------------------------------------------------------------- director

// When the director was how far with the one that died.
struct Stamps {
  std::atomic<unsigned> count{0};
  std::array<std::uint64_t, 4> ns{};  // before and after each of its two drains

  void add() {
    const unsigned at = count.load();
    if (at < ns.size()) ns[at] = platform::monotonic_ns();
    count.store(at + 1);
  }
};

class Watched final : public director::AuditSink {
 public:
  Watched(std::shared_ptr<director::AuditSink> sink, Stamps& stamps)
      : sink_(std::move(sink)), stamps_(stamps) {}
  void worker_added(const director::WorkerMemory& worker, std::string_view scope) override {
    sink_->worker_added(worker, scope);
  }
  void block_opened(WorkerId worker, unsigned open, BlockId block, Generation generation,
                    std::string_view name) override {
    sink_->block_opened(worker, open, block, generation, name);
  }
  void drain_fully(WorkerId worker) override {
    stamps_.add();
    sink_->drain_fully(worker);
    stamps_.add();
  }
  void worker_removed(WorkerId worker) override { sink_->worker_removed(worker); }
  void note(std::string_view transition) override { sink_->note(transition); }

 private:
  std::shared_ptr<director::AuditSink> sink_;
  Stamps& stamps_;
};

class Bench {
 public:
  Bench(const Options& options, std::uint64_t entries, unsigned workers)
      : options_(options), workers_(workers) {
    board_fd_.reset(static_cast<int>(::memfd_create("board", MFD_CLOEXEC)));
    if (!board_fd_ || ::ftruncate(board_fd_.get(), sizeof(Board)) != 0) die("no board");
    board_ = &map_board(board_fd_.get());
    board_->entries = entries;
    board_->workers = workers;
    start_director();
    load(entries);
    children_.resize(workers);
    for (unsigned seat = 0; seat < workers; ++seat) start_worker(seat);
    for (unsigned seat = 0; seat < workers; ++seat) wait_until_working(seat);
  }
  ~Bench() {
    for (Child& child : children_) end(child);
    director_.reset();
    ::munmap(board_, sizeof(Board));
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  Times run() {
    Times times;
    for (unsigned sample = 0; sample < options_.samples; ++sample) {
      const auto seat = static_cast<unsigned>(random_() % workers_);
      measure(seat, times);
      start_worker(seat);
      wait_until_working(seat);
    }
    return times;
  }

 private:
  struct Child {
    pid_t pid = -1;
    platform::UniqueFd pidfd;
  };

  void start_director() {
    std::string pattern = (std::filesystem::temp_directory_path() / "recovery-time-XXXXXX");
    if (::mkdtemp(pattern.data()) == nullptr) die("cannot make " + pattern);
    folder_ = pattern;
    auto logs = director::make_logs({pattern + "/log", "bench", nullptr});
    director::EmbeddedSetup setup;
    setup.runtime_directory = pattern + "/run";
    setup.events = logs.events;
    setup.make_audit = [this, make = logs.make_audit](const director::SystemInstance& instance)
        -> Result<std::shared_ptr<director::AuditSink>> {
      auto sink = make(instance);
      if (!sink) return sink;
      return std::shared_ptr<director::AuditSink>(
          std::make_shared<Watched>(std::move(*sink), stamps_));
    };
    director_ = must(director::EmbeddedDirector::start(std::move(setup)));
    Result<BlockId> block;
    director().call([&](director::Registry& registry) {
      director::BlockRequest request;
      request.policy.name = kBlock;
      request.policy.kind = BlockKind::shared;
      request.policy.grants.emplace("*", Rights::read_write);
      request.policy.owner = registry.scopes.root().id;
      request.quota_bytes = std::uint64_t{128} << 20U;
      block = registry.create_block(request);
    });
    block_ = must(std::move(block));
    token_ = must(director().token_for_scope("embedded/worker"));
  }
  director::Director& director() { return director_->director(); }

  void load(std::uint64_t entries) {
    AttachOptions attach;
    attach.socket = director().socket();
    attach.scope = "embedded/worker";
    attach.token = token_;
    auto session = must(Session::attach(attach));
    auto block = must(session.open(kBlock));
    const std::string value(64, 'v');
    for (std::uint64_t i = 0; i < entries; ++i) must(block.put(key_of(i), value));
  }

  void start_worker(unsigned seat) {
    board_->seats[seat].operations.store(0);
    board_->seats[seat].is_hot.store(options_.busy ? 1 : 0);
    std::vector<std::string> variables = {"SESSIONBLOCKS_SOCKET=" + director().socket(),
                                          "SESSIONBLOCKS_SCOPE=embedded/worker",
                                          "SESSIONBLOCKS_TOKEN=" + token_};
    std::vector<char*> environment;
    for (auto& variable : variables) environment.push_back(variable.data());
    environment.push_back(nullptr);
    std::string name = "recovery_time";
    std::string mode = "worker";
    std::string number = std::to_string(seat);
    char* arguments[] = {name.data(), mode.data(), number.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, board_fd_.get(), kBoardFd);
    Child& child = children_[seat];
    const int failed = ::posix_spawn(&child.pid, "/proc/self/exe", &actions, nullptr, arguments,
                                     environment.data());
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) die("a worker does not start");
    child.pidfd = must(platform::open_pidfd(child.pid));
  }
  void wait_until_working(unsigned seat) {
    while (board_->seats[seat].operations.load() == 0) {
      if (platform::pidfd_ended(children_[seat].pidfd.get())) die("a worker has ended");
      nap_us(200);
    }
  }
  static void end(Child& child) {
    if (!child.pidfd) return;
    static_cast<void>(platform::send_signal(child.pidfd.get(), SIGKILL));
    static_cast<void>(platform::reap(child.pidfd.get()));
  }

  void measure(unsigned seat, Times& times) {
    Board::Seat& place = board_->seats[seat];
    place.is_hot.store(1);
    // It hears of it after its rest.
    const std::uint64_t heard = place.operations.load() + 2 * kBetweenRests;
    while (place.operations.load() < heard) nap_us(100);
    nap_us(static_cast<long>(random_() % 500));
    const auto worker = static_cast<WorkerId>(place.worker.load());
    stamps_.count.store(0);
    const std::uint64_t killed_ns = platform::monotonic_ns();
    end(children_[seat]);
    std::uint64_t reclaimed_ns = 0;
    while (reclaimed_ns == 0) {
      if (stamps_.count.load() == 0) {
        nap_us(20);
        continue;
      }
      director().call([&](director::Registry& registry) {
        const std::uint64_t now = platform::monotonic_ns();
        if (registry.workers.find(worker) != nullptr) return;
        reclaimed_ns = now;
        check_nothing_left(registry, worker);
      });
    }
    std::uint64_t before_ns = killed_ns;
    for (std::size_t step = 0; step < kSteps.size(); ++step) {
      const std::uint64_t ns = step < stamps_.ns.size() ? stamps_.ns[step] : reclaimed_ns;
      times.steps_ms[step].push_back(static_cast<double>(ns - before_ns) / 1e6);
      before_ns = ns;
    }
    times.reclaimed_ms.push_back(static_cast<double>(reclaimed_ns - killed_ns) / 1e6);
  }

  void check_nothing_left(director::Registry& registry, WorkerId worker) {
    const director::BlockMemory mapped = registry.blocks.find(block_)->memory();
    const segment::BlockMemory memory(mapped.block.data(), mapped.block.size(),
                                      mapped.reserved.get(), mapped.populate);
    const auto is_its = [&](std::uint64_t owner) {
      return owner != 0 &&
             worker_of(static_cast<OwnerId>(static_cast<std::uint32_t>(owner))) == worker;
    };
    const std::uint64_t top = memory.header().page_watermark.load();
    for (std::uint64_t page = 0; page < top; ++page) {
      const auto entry = layout::PageEntry::unpack(memory.descriptor(page).entry.load());
      if (is_its(raw(entry.owner))) die("a page still belongs to the dead worker");
    }
    const auto& readers = *reinterpret_cast<const layout::ReadersSegment*>(mapped.readers.data());
    for (const auto& hazard : readers.hazards) {
      if (is_its(hazard.owner.load())) die("a hazard still belongs to the dead worker");
    }
  }

  const Options& options_;
  unsigned workers_;
  std::mt19937_64 random_{1};
  Stamps stamps_;
  std::string folder_;
  platform::UniqueFd board_fd_;
  Board* board_ = nullptr;
  std::unique_ptr<director::EmbeddedDirector> director_;
  BlockId block_{};
  std::string token_;
  std::vector<Child> children_;
};

int run(const Options& options) {
  bool is_first = true;
  for (const std::uint64_t entries : {10ULL, 1'000ULL, 100'000ULL}) {
    for (const unsigned workers : {1U, 10U, 100U}) {
      Bench bench(options, entries, workers);
      const Times times = bench.run();
      if (options.json) {
        report_json(options, entries, workers, times, is_first);
      } else {
        report_text(entries, workers, times, is_first);
      }
      std::fflush(stdout);
      is_first = false;
    }
  }
  if (options.json) std::printf("\n]\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (argc == 3 && std::strcmp(argv[1], "worker") == 0) {
    return work(static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)) % kMostWorkers);
  }
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--json") {
      options.json = true;
    } else if (argument == "--busy") {
      options.busy = true;
    } else if (argument == "--samples" && i + 1 < argc) {
      options.samples = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
    } else {
      options.samples = 0;
    }
  }
  if (options.samples == 0) {
    std::fputs("usage: recovery_time [--json] [--samples N] [--busy]\n", stderr);
    return 2;
  }
  return run(options);
}
