// The thread that takes records out of the workers' rings before they fill.
//
// It looks, naps and never spins: 20 us while a ring fills fast, up to 1 ms when little comes, up
// to 10 ms when nothing does and no ring can fill meanwhile. It copies and checks; the log writer's
// thread does the rest and gives the cells back. Lanes that no thread of a worker ever had are not
// touched: their pages need not exist, and reading a page that is not there would take one from
// /dev/shm. add_worker, set_open, drain_fully and remove_worker are the director's, from any one
// thread; a worker's memory must stay mapped between add_worker and the return of remove_worker.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <sessionblocks/error.hpp>
#include <span>
#include <thread>
#include <vector>

#include "director/audit_tap.hpp"
#include "flowlog/lane.hpp"
#include "flowlog/log_writer.hpp"
#include "layout/worker.hpp"

namespace sessionblocks::flowlog {

class Drainer {
 public:
  Drainer(LogWriter& writer, LogEvents events) : writer_(&writer), events_(std::move(events)) {}
  ~Drainer();  // stop()
  Drainer(const Drainer&) = delete;
  Drainer& operator=(const Drainer&) = delete;

  void start();
  // Takes what is there and ends the thread; the writer must still run.
  void stop();

  // `adopted` says where each lane goes on (what the log has of it; absent: at 0), and what its
  // `open`s meant: all are known before the first cell is taken.
  // invalid_argument: a segment too small for its rings, or a ring size that is no power of two.
  [[nodiscard]] Result<void> add_worker(WorkerId worker, std::span<std::byte> segment,
                                        std::uint64_t ring_records, const LogState& adopted);
  // From now on `open` in this worker's records stands for this block. If it stood for another,
  // the records that used it are drained first.
  [[nodiscard]] Result<void> set_open(WorkerId worker, unsigned open, BlockRef block);
  // All open blocks of the worker must have been named. Returns when all that it had published is
  // in the log; a lane that turned out forged is not waited for. io_error: the disk refuses;
  // not_found: no such worker.
  [[nodiscard]] Result<void> drain_fully(WorkerId worker);
  // Drains, and lets go of the memory. What the disk does not take now is copied, up to
  // kMaxKeptCells, and drained later; beyond that a note says how much is missing.
  static constexpr std::uint64_t kMaxKeptCells = std::uint64_t{4} << 20U;  // 128 MiB
  void remove_worker(WorkerId worker);
  // Waits until what removed workers left is in the log, or the disk refuses.
  void drain_kept();
  // Whether a record that was taken since this was asked last names `open`. True for workers that
  // are not here: nobody looks.
  [[nodiscard]] bool take_used(WorkerId worker, unsigned open);
  // Operations of a worker that have no records, as the worker itself counted them, beside what
  // the log has of that already.
  [[nodiscard]] std::vector<Note> take_counts(WorkerId worker);

  // Before any worker is added.
  void set_tap(director::AuditTap* tap) noexcept { tap_.store(tap, std::memory_order_release); }

  // Writer thread: LogFile::LearnKeys.
  void learn_ahead(KeyBook& keys);

 private:
  struct Worker {
    std::vector<std::shared_ptr<Lane>> lanes;  // those in use, in the order in which they came
    std::bitset<layout::kLanes> has_lane;
    std::array<std::uint64_t, layout::kLanes> starts{};  // where the log stood at add_worker
    std::shared_ptr<OpenTable> opens;
    std::bitset<layout::kOpens> told;  // by the director, not only by the log
    std::span<std::byte> segment;
    std::uint64_t ring_records = 0;
    // By open: what notes have said.
    std::map<std::uint16_t, std::pair<std::uint64_t, std::uint64_t>> counted;
  };

  struct Target {
    std::shared_ptr<Lane> lane;
    std::uint64_t end;
  };
  void hurry();
  [[nodiscard]] bool wait_for(const std::vector<Target>& targets);
  // Of one open, or kLostOpen; nothing: no more than was said.
  [[nodiscard]] static std::optional<Note> take_count(WorkerId id, Worker& worker,
                                                      std::uint16_t open);
  void leave_undrained(Lane& lane);
  void forget_drained();  // of kept_, under workers_lock_

  void run();
  // Adds the lanes that threads took since the last look; whether there were any. Under
  // workers_lock_.
  static bool find_lanes(WorkerId id, Worker& worker);
  void find_lanes();  // of all workers, for pass()
  // One look at every lane; returns how full the fullest ring was, in 1/16.
  [[nodiscard]] unsigned pass(bool take_all);
  void drain_lane(const std::shared_ptr<Lane>& lane);
  void report_forged(const Lane& lane, std::uint64_t at, std::string_view why);
  [[nodiscard]] BlockRef told_open_of(WorkerId worker, unsigned open) const;

  LogWriter* writer_;
  LogEvents events_;
  std::atomic<director::AuditTap*> tap_{nullptr};
  mutable std::mutex workers_lock_;
  std::map<WorkerId, Worker> workers_;         // under workers_lock_
  std::vector<std::shared_ptr<Lane>> kept_;    // of removed workers, under workers_lock_
  std::vector<std::shared_ptr<Lane>> lanes_;   // drain thread: what pass() looks at
  bool lanes_changed_ = false;                 // under workers_lock_: lanes_ is out of date
  std::chrono::microseconds idle_nap_{1'000};  // drain thread: how long a nap may be now
  Batch* spare_ = nullptr;                     // drain thread
  bool handed_over_ = false;                   // drain thread: the writer is to be woken
  std::vector<RingCell> scratch_;              // writer thread

  std::mutex nap_lock_;
  std::condition_variable nap_;
  bool hurry_ = false;     // under nap_lock_: a look at everything is due
  bool stopping_ = false;  // under nap_lock_
  std::thread thread_;
};

}  // namespace sessionblocks::flowlog
