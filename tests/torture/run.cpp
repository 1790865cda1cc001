#include "run.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "platform/clock.hpp"
#include "refill.hpp"
#include "roles.hpp"
#include "warden.hpp"

namespace sessionblocks::torture {
namespace {

constexpr std::uint64_t kNsPerS = 1'000'000'000;
constexpr std::uint64_t kBetweenPausesNs = kNsPerS / 2;
constexpr std::uint64_t kBetweenPausesOperations = 200'000;
constexpr std::uint64_t kStuckNs = 60 * kNsPerS;
constexpr std::uint32_t kCrowd = 3'000;    // keys of some 2 KiB each
constexpr unsigned kStandsStill = 8;       // pauses
constexpr std::uint64_t kCalmS = 4;        // without --seconds
constexpr std::uint64_t kGapNs = 700'000;  // between two kills, without --seconds

Board* make_board() {
  void* const memory =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory for the journals");
  return static_cast<Board*>(memory);
}

std::uint32_t crowd_of(const RunOptions& options) {
  return options.system.at_limit == AtLimit::refuse ? 0 : kCrowd;
}

void set_text(char (&to)[256], const std::string& text) {
  if (text.size() >= sizeof to) throw std::runtime_error("too long: " + text);
  std::memcpy(to, text.c_str(), text.size() + 1);
}

}  // namespace

Run::Run(const RunOptions& options)
    : options_(options),
      keys_(kWriters, options.keys_per_class, crowd_of(options)),
      board_(make_board()) {
  board_->seed = options.seed;
  board_->wanted_kills = options.kills;
  board_->keys_per_class = options.keys_per_class;
  board_->crowd = crowd_of(options);
  board_->at_limit = options.system.at_limit;
  board_->mean_gap_ns = kGapNs;
  if (options.seconds != 0 && options.kills != 0) {
    board_->mean_gap_ns = options.seconds * kNsPerS * 3 / 4 / options.kills;
  }
  start_warden();
  system_ = std::make_unique<System>(options.system);
  set_text(board_->socket, system_->socket());
  for (std::size_t role = 0; role < kRoles.size(); ++role) {
    set_text(board_->tokens[role], system_->token(kRoles[role].scope));
  }
  oracle_ = std::make_unique<Oracle>(*board_, keys_, system_->log_folder(),
                                     options.system.audit == AuditLevel::full);
  oracle_->on_history = options.on_history;
  checkpoints_ = std::make_unique<CheckpointTaker>(
      *system_, keys_, options.seed, [this](const std::string& what) { oracle_->complain(what); });
  oracle_->know_director(system_->own_worker(), system_->block_id());
  generations_ =
      std::make_unique<GenerationMaker>(*system_, *oracle_, *checkpoints_, keys_, options.seed);
  states_ = std::make_unique<StateChanger>(*system_, *oracle_, *checkpoints_, options.seed);
}

Run::~Run() {
  if (warden_ > 0) {  // a run that failed; its workers die with it
    ::kill(warden_, SIGKILL);
    ::waitpid(warden_, nullptr, 0);
  }
  system_.reset();
  ::munmap(board_, sizeof(Board));
}

// Before this process has another thread: what is forked here goes on without exec.
void Run::start_warden() {
  const pid_t parent = ::getpid();
  warden_ = ::fork();
  if (warden_ < 0) throw std::runtime_error("cannot fork");
  if (warden_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() == parent) run_warden(*board_);
  ::_exit(0);
}

void Run::all() {
  begun_ns_ = told_ns_ = platform::monotonic_ns();
  board_->go.store(1, std::memory_order_release);
  const bool is_calm_only = options_.kills == 0;
  const std::uint64_t seconds = options_.seconds != 0 ? options_.seconds : kCalmS * 4;
  const std::uint64_t calm_ns = seconds * kNsPerS / (is_calm_only ? 1 : 4);
  work_until(begun_ns_ + calm_ns, ~std::uint64_t{0});
  if (!is_calm_only && oracle_->violations() == 0) {
    board_->phase.store(static_cast<std::uint32_t>(Phase::chaos));
    work_until(~std::uint64_t{0}, options_.kills);
    board_->phase.store(static_cast<std::uint32_t>(Phase::calm));
  }
  end();
}

void Run::work_until(std::uint64_t end_ns, std::uint64_t kills) {
  bool goes_on = true;
  while (goes_on && oracle_->violations() == 0) {
    const std::uint64_t begun = platform::monotonic_ns();
    const std::uint64_t taken = oracle_->taken();
    std::uint64_t now = begun;
    while (goes_on && now < begun + kBetweenPausesNs &&
           oracle_->taken() < taken + kBetweenPausesOperations) {
      nap(std::chrono::microseconds(500));
      oracle_->take();
      checkpoints_->turn();
      if (options_.moves) generations_->turn();
      if (options_.moves) states_->turn();
      now = platform::monotonic_ns();
      goes_on = now < end_ns && board_->kills.load() < kills;
      if (::waitpid(warden_, nullptr, WNOHANG) == warden_) {
        warden_ = -1;
        throw std::runtime_error("the warden has ended");
      }
      tell();
    }
    if (!pause_and_judge()) return;
  }
}

bool Run::everybody_rests(std::uint32_t pause) {
  oracle_->take();
  if (board_->warden_pause.load(std::memory_order_acquire) != pause) return false;
  for (unsigned slot = 0; slot < kSlots; ++slot) {
    if (board_->slots[slot].parked.load(std::memory_order_acquire) != pause) return false;
  }
  oracle_->take();
  const auto living = oracle_->living();
  return living && system_->has_only(*living);
}

bool Run::pause_and_judge() {
  const std::uint32_t pause = ++pauses_;
  board_->pause.store(pause, std::memory_order_release);
  const std::uint64_t begun = platform::monotonic_ns();
  bool rests = everybody_rests(pause);
  while (!rests && platform::monotonic_ns() < begun + kStuckNs) {
    nap(std::chrono::microseconds(100));
    tell();
    rests = everybody_rests(pause);
  }
  if (!rests) {
    oracle_->complain("a worker does not come to the end of its operation, or is not reclaimed");
    return false;
  }
  look();
  board_->pause.store(0, std::memory_order_release);
  return true;
}

void Run::look() {
  const std::uint64_t growing_from = rest_.growing_from;
  rest_ = system_->look();
  for (const std::string& finding : rest_.findings) oracle_->complain(finding);
  const bool same = growing_from != 0 && growing_from == rest_.growing_from;
  same_growth_ = same ? same_growth_ + 1 : 0;
  if (same_growth_ == kStandsStill) oracle_->complain("the index grows and does not get on");
  oracle_->judge(rest_.entries);
  checkpoints_->at_rest(rest_.entries);
  if (options_.moves) generations_->at_rest();
}

void Run::end() {
  board_->stop.store(1, std::memory_order_release);
  const std::uint64_t limit = platform::monotonic_ns() + kStuckNs;
  while (board_->warden_done.load() == 0 && platform::monotonic_ns() < limit) {
    nap(std::chrono::microseconds(500));
    oracle_->take();
  }
  if (board_->warden_done.load() == 0) {
    oracle_->complain("a worker does not end when it is told to");
    return;
  }
  ::waitpid(warden_, nullptr, 0);
  warden_ = -1;
  while (!system_->has_only({}) && platform::monotonic_ns() < limit) {
    nap(std::chrono::microseconds(500));
  }
  if (!system_->has_only({})) oracle_->complain("a worker that ended is not reclaimed");
  look();
  if (system_->evicts() && oracle_->evictions() == 0) {
    oracle_->complain("nothing was evicted: the block was never full");
  }
  checkpoints_->release_all();
  generations_->release_all();
  if (options_.system.recovers) check_refill(*system_, keys_, *oracle_);
  for (const std::string& name : system_->stop()) oracle_->complain("left in /dev/shm: " + name);
}

void Run::tell() {
  const std::uint64_t now = platform::monotonic_ns();
  if (now < told_ns_ + kNsPerS) return;
  told_ns_ = now;
  std::fprintf(stderr,
               "%4llu s %8llu kills (%llu inside an operation, %llu stopped, %llu early) "
               "%6llu stops %10llu operations, cut off %llu, of them done %llu; "
               "table %llu of %llu slots, %llu pages, %llu free; violations %llu\n",
               static_cast<unsigned long long>((now - begun_ns_) / kNsPerS),
               static_cast<unsigned long long>(board_->kills.load()),
               static_cast<unsigned long long>(board_->kills_inside.load()),
               static_cast<unsigned long long>(board_->kills_stopped.load()),
               static_cast<unsigned long long>(board_->kills_early.load()),
               static_cast<unsigned long long>(board_->stops.load()),
               static_cast<unsigned long long>(oracle_->operations()),
               static_cast<unsigned long long>(oracle_->cut_off()),
               static_cast<unsigned long long>(oracle_->cut_off_done()),
               static_cast<unsigned long long>(rest_.table_id),
               static_cast<unsigned long long>(rest_.table_slots),
               static_cast<unsigned long long>(rest_.pages),
               static_cast<unsigned long long>(rest_.free_pages),
               static_cast<unsigned long long>(oracle_->violations()));
}

std::string Run::latencies() const {
  std::string text =
      "latency in ns of the operations of survivors\n"
      "                operations        p50        p99      p99.9        max\n";
  static constexpr std::array kNames = {"without kills", "with kills"};
  for (std::size_t phase = 0; phase < kNames.size(); ++phase) {
    const auto sum = std::make_unique<Histogram>();
    for (unsigned slot = 0; slot < kSlots; ++slot) sum->add_all(board_->slots[slot].latency[phase]);
    if (sum->count() == 0) continue;
    char line[160];
    std::snprintf(line, sizeof line, "%-14s %11llu %10llu %10llu %10llu %10llu\n", kNames[phase],
                  static_cast<unsigned long long>(sum->count()),
                  static_cast<unsigned long long>(sum->percentile(0.5)),
                  static_cast<unsigned long long>(sum->percentile(0.99)),
                  static_cast<unsigned long long>(sum->percentile(0.999)),
                  static_cast<unsigned long long>(sum->most()));
    text += line;
  }
  return text;
}

}  // namespace sessionblocks::torture
