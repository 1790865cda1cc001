#include "warden.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <random>
#include <utility>

#include "platform/process.hpp"
#include "roles.hpp"

namespace sessionblocks::torture {
namespace {

constexpr std::uint64_t kHotNs = 600'000;

class Warden {
 public:
  explicit Warden(Board& board)
      : board_(board),
        keys_(kWriters, board.keys_per_class, board.crowd),
        random_(mixed(board.seed)) {}

  void run() {
    ::prctl(PR_SET_TIMERSLACK, 1'000UL);  // ns; moments are to be random, not those of a clock
    for (unsigned slot = 0; slot < kSlots; ++slot) start(slot);
    while (board_.stop.load(std::memory_order_acquire) == 0) {
      look_after_children();
      const std::uint64_t now = platform::monotonic_ns();
      const std::uint32_t pause = board_.pause.load(std::memory_order_acquire);
      if (pause != 0 || board_.phase.load() != static_cast<std::uint32_t>(Phase::chaos)) {
        resume_all(now, pause != 0);
        if (pause != 0) next_ns_ = now;
        rouse(now, false);
        board_.warden_pause.store(pause, std::memory_order_release);
      } else {
        resume_due(now);
        rouse(now, board_.kills.load() < board_.wanted_kills);
      }
      wait_a_little(platform::monotonic_ns());
    }
    end_all();
  }

 private:
  struct Child {
    platform::UniqueFd pidfd;
    bool is_stopped = false;
    bool dies = false;           // when its stop is over
    std::uint64_t until_ns = 0;  // of the stop
  };

  void start(unsigned slot) {
    Slot& place = board_.slots[slot];
    const std::uint32_t life = place.life.load() + 1;
    place.life.store(life);
    place.parked.store(0);
    place.stops.store((place.stops.load() + 1) & ~1U);
    note(place.journal, note_of(Act::life_begun, life));
    std::fflush(nullptr);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(0);
      for (Child& child : children_) child.pidfd.reset();
      ::_exit(live(board_, keys_, slot));
    }
    auto pidfd = platform::open_pidfd(pid);
    if (pid < 0 || !pidfd) {
      std::fprintf(stderr, "torture: cannot start a worker\n");
      ::_exit(1);  // the driver sees that no warden is there
    }
    children_[slot] = Child{std::move(*pidfd)};
  }

  // What a worker that ended left in its journal is closed in its name.
  void close_books(unsigned slot, LifeEnd how) {
    Slot& place = board_.slots[slot];
    Journal& journal = place.journal;
    const std::uint64_t ended = journal.ended.load(std::memory_order_acquire);
    const bool inside = journal.begun.load(std::memory_order_acquire) != ended;
    if (inside) {
      JournalEntry& entry = journal.entries[ended % kJournalEntries];
      entry.outcome = kNeverEnded;
      entry.end_ns = platform::monotonic_ns();
      entry.end_ms = platform::monotonic_coarse_ms();
      journal.ended.store(ended + 1, std::memory_order_release);
    }
    if (how == LifeEnd::killed) board_.kills_inside.fetch_add(inside ? 1 : 0);
    note(journal, note_of(Act::life_ended, static_cast<std::uint64_t>(how)));
  }

  void look_after_children() {
    for (unsigned slot = 0; slot < kSlots; ++slot) {
      if (!platform::pidfd_ended(children_[slot].pidfd.get())) continue;
      if (reap(slot) == LifeEnd::killed) board_.kills_by_director.fetch_add(1);
      start(slot);
    }
  }

  LifeEnd reap(unsigned slot) {
    const auto status = platform::reap(children_[slot].pidfd.get());
    LifeEnd how = LifeEnd::crashed;
    if (status && status->succeeded()) how = LifeEnd::in_order;
    if (status && status->by_signal && status->number == SIGKILL) how = LifeEnd::killed;
    if (how == LifeEnd::in_order) board_.in_order.fetch_add(1);
    if (how == LifeEnd::crashed) {
      std::fprintf(stderr, "torture: the worker of slot %u ended with %s\n", slot,
                   status ? status->text().c_str() : "an unknown status");
    }
    close_books(slot, how);
    return how;
  }

  // Makes one worker hot when it is time, and strikes it (in calm: lets it be) a little later.
  void rouse(std::uint64_t now, bool strikes) {
    if (now < next_ns_) return;
    if (victim_ == kSlots) {
      victim_ = static_cast<unsigned>(random_() % kSlots);
      board_.slots[victim_].is_hot.store(1, std::memory_order_relaxed);
      next_ns_ = now + random_() % kHotNs;
      return;
    }
    const unsigned slot = std::exchange(victim_, kSlots);
    if (strikes) strike(slot, now);
    board_.slots[slot].is_hot.store(0, std::memory_order_relaxed);
    next_ns_ = platform::monotonic_ns() + random_() % (2 * board_.mean_gap_ns + 1);
  }

  void strike(unsigned slot, std::uint64_t now) {
    Child& child = children_[slot];
    if (child.is_stopped) return;
    // Few die before they have attached: what follows is what most kills are for.
    const bool is_early = !has_worked(slot);
    if (is_early && random_() % 16 != 0) return;
    const std::uint64_t dice = random_() % 100;
    if (dice < 70) return kill(slot, is_early);
    set_stopped(slot, true);
    child.dies = dice < 85;
    child.until_ns = now + random_() % 20'000'000;
  }

  [[nodiscard]] bool has_worked(unsigned slot) const {
    const Journal& journal = board_.slots[slot].journal;
    const std::uint64_t ended = journal.ended.load(std::memory_order_acquire);
    const auto act = journal.entries[(ended - 1) % kJournalEntries].act;
    return act != static_cast<std::uint8_t>(Act::life_begun) &&
           act != static_cast<std::uint8_t>(Act::attached);
  }

  void kill(unsigned slot, bool is_early) {
    if (!platform::send_signal(children_[slot].pidfd.get(), SIGKILL)) return;
    if (is_early) board_.kills_early.fetch_add(1);
    if (children_[slot].is_stopped) board_.kills_stopped.fetch_add(1);
    board_.kills.fetch_add(1);
    reap(slot);
    start(slot);
  }

  void set_stopped(unsigned slot, bool stopped) {
    Slot& place = board_.slots[slot];
    if (stopped) {
      place.stops.fetch_add(1);
      board_.stops.fetch_add(1);
    }
    static_cast<void>(
        platform::send_signal(children_[slot].pidfd.get(), stopped ? SIGSTOP : SIGCONT));
    if (!stopped) place.stops.fetch_add(1);
    children_[slot].is_stopped = stopped;
  }

  void resume_due(std::uint64_t now) {
    for (unsigned slot = 0; slot < kSlots; ++slot) {
      Child& child = children_[slot];
      if (!child.is_stopped || now < child.until_ns) continue;
      if (child.dies) {
        kill(slot, false);
      } else {
        set_stopped(slot, false);
      }
    }
  }
  void resume_all(std::uint64_t now, bool at_once) {
    for (Child& child : children_) {
      if (at_once && child.is_stopped) child.until_ns = now;
    }
    resume_due(now);
  }

  void wait_a_little(std::uint64_t now) {
    std::array<pollfd, kSlots> ends{};
    for (unsigned slot = 0; slot < kSlots; ++slot) {
      ends[slot] = {children_[slot].pidfd.get(), POLLIN, 0};
    }
    std::uint64_t ns = next_ns_ > now ? next_ns_ - now : 50'000;
    if (ns > 500'000) ns = 500'000;
    const timespec limit{0, static_cast<long>(ns)};
    ::ppoll(ends.data(), ends.size(), &limit, nullptr);
  }

  void end_all() {
    resume_all(platform::monotonic_ns(), true);
    for (unsigned slot = 0; slot < kSlots; ++slot) reap(slot);
  }

  Board& board_;
  const KeySet keys_;  // made once: every worker has it by the fork
  std::mt19937_64 random_;
  std::array<Child, kSlots> children_;
  unsigned victim_ = kSlots;  // who is hot; kSlots: nobody
  std::uint64_t next_ns_ = 0;
};

}  // namespace

void run_warden(Board& board) {
  while (board.go.load(std::memory_order_acquire) == 0) {
    if (board.stop.load() != 0) return;
    nap(std::chrono::milliseconds(1));
  }
  Warden(board).run();
  board.warden_done.store(1, std::memory_order_release);
}

}  // namespace sessionblocks::torture
