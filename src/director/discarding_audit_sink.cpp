#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "director/audit_sink.hpp"
#include "layout/worker.hpp"

namespace sessionblocks::director {
namespace {

using namespace std::chrono_literals;

class DiscardingAuditSink final : public AuditSink {
 public:
  DiscardingAuditSink() : thread_([this](const std::stop_token& stop) { run(stop); }) {}

  void worker_added(const WorkerMemory& worker, std::string_view /*scope*/) override {
    const std::lock_guard lock(mutex_);
    workers_[worker.id] = worker;
  }
  void block_opened(WorkerId, unsigned, BlockId, Generation, std::string_view) override {}
  void drain_fully(WorkerId worker) override {
    const std::lock_guard lock(mutex_);
    const auto found = workers_.find(worker);
    if (found != workers_.end()) static_cast<void>(drain(found->second));
  }
  void worker_removed(WorkerId worker) override {
    const std::lock_guard lock(mutex_);
    workers_.erase(worker);
  }
  void note(std::string_view /*transition*/) override {}

 private:
  // Whether there was anything.
  static bool drain(const WorkerMemory& memory) {
    bool any = false;
    for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
      auto& head = *reinterpret_cast<layout::LaneHead*>(memory.segment.data() +
                                                        layout::lane_at(lane, memory.ring_records));
      // A forged index only makes a worker forget its own records, which nobody here keeps.
      const std::uint64_t written = head.ring_written.load(std::memory_order_acquire);
      if (written == head.ring_drained.load(std::memory_order_relaxed)) continue;
      head.ring_drained.store(written, std::memory_order_release);
      any = true;
    }
    return any;
  }

  // Naps instead of spinning: a consumer that spins on the ring's line doubles the cost of a put.
  void run(const std::stop_token& stop) {
    auto nap = std::chrono::microseconds(20);
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      bool any = false;
      for (const auto& [id, memory] : workers_) any = drain(memory) || any;
      nap = any ? 20us : std::min<std::chrono::microseconds>(nap * 2, 5ms);
      static_cast<void>(waiting_.wait_for(lock, stop, nap, [] { return false; }));
    }
  }

  std::mutex mutex_;
  std::condition_variable_any waiting_;
  std::map<WorkerId, WorkerMemory> workers_;
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace

std::unique_ptr<AuditSink> make_discarding_audit_sink() {
  return std::make_unique<DiscardingAuditSink>();
}

}  // namespace sessionblocks::director
