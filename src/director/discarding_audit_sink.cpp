#include <array>
#include <bitset>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "director/audit_sink.hpp"
#include "layout/worker.hpp"
#include "lockfree/audit_ring.hpp"

namespace sessionblocks::director {
namespace {

using namespace std::chrono_literals;

class DiscardingAuditSink final : public AuditSink {
 public:
  DiscardingAuditSink() : thread_([this](const std::stop_token& stop) { run(stop); }) {}

  void worker_added(const WorkerMemory& worker, std::string_view /*scope*/) override {
    const std::lock_guard lock(mutex_);
    workers_[worker.id].memory = worker;
  }
  void block_opened(WorkerId worker, unsigned open, BlockId block, Generation /*generation*/,
                    std::string_view /*name*/) override {
    const std::lock_guard lock(mutex_);
    const auto found = workers_.find(worker);
    if (found != workers_.end() && open < layout::kOpens) found->second.opens.blocks[open] = block;
  }
  void drain_fully(WorkerId worker) override {
    const std::lock_guard lock(mutex_);
    const auto found = workers_.find(worker);
    if (found != workers_.end()) static_cast<void>(drain(found->second));
  }
  void worker_removed(WorkerId worker) override {
    const std::lock_guard lock(mutex_);
    workers_.erase(worker);
  }
  // Records are looked at only where somebody asks: from the first question on.
  bool take_used(WorkerId worker, unsigned open) override {
    const std::lock_guard lock(mutex_);
    const auto found = workers_.find(worker);
    if (found == workers_.end() || open >= layout::kOpens) return true;
    Watched& watched = found->second;
    const bool is_used = !watched.is_asked_for || watched.used.test(open);
    watched.is_asked_for = true;
    watched.used.reset(open);
    return is_used;
  }
  void note(std::string_view /*transition*/) override {}
  void set_tap(AuditTap* tap) override {
    const std::lock_guard lock(mutex_);
    tap_ = tap;
  }

 private:
  struct Opens final : OpenBlocks {
    std::array<BlockId, layout::kOpens> blocks{};
    [[nodiscard]] BlockId block_of(unsigned open) const noexcept override {
      return open < blocks.size() ? blocks[open] : BlockId{};
    }
  };
  struct Watched {
    Opens opens;
    WorkerMemory memory;
    std::bitset<layout::kOpens> used;  // by records since somebody asked
    bool is_asked_for = false;
  };

  // Whether there was anything.
  bool drain(Watched& watched) const {
    const WorkerMemory& memory = watched.memory;
    bool any = false;
    for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
      auto& head = *reinterpret_cast<layout::LaneHead*>(memory.segment.data() +
                                                        layout::lane_at(lane, memory.ring_records));
      // A forged index only makes a worker forget its own records, which nobody here keeps.
      const std::uint64_t written = head.ring_written.load(std::memory_order_acquire);
      const std::uint64_t drained = head.ring_drained.load(std::memory_order_relaxed);
      if (written == drained) continue;
      if (watched.is_asked_for || tap_ != nullptr) look(watched, lane, drained, written);
      head.ring_drained.store(written, std::memory_order_release);
      any = true;
    }
    return any;
  }

  // Every cell between was published. What an honest worker cannot have written says nothing, so
  // that everything may have been used.
  void look(Watched& watched, unsigned lane, std::uint64_t from, std::uint64_t written) const {
    const WorkerMemory& memory = watched.memory;
    std::byte* const base = memory.segment.data() + layout::lane_at(lane, memory.ring_records);
    const AuditRingReader ring(*reinterpret_cast<layout::LaneHead*>(base),
                               reinterpret_cast<const RingCell*>(base + layout::kLaneHeadBytes +
                                                                 layout::kLaneCounterBytes),
                               memory.ring_records);
    if (written - from > ring.capacity()) {
      watched.used.set();
      return;
    }
    std::array<RingCell, 256> cells;
    while (from < written) {
      const auto count = std::min<std::uint64_t>(written - from, cells.size());
      ring.copy(from, std::span(cells).first(count));
      std::uint64_t at = 0;
      while (at < count) {
        const RingCell& record = cells[at];
        if (record.open < layout::kOpens) watched.used.set(record.open);
        const std::uint64_t head = head_cells(record);
        const bool has_value = (record.flags & layout::kInlineValue) != 0;
        if (has_value && at + head >= count && at != 0) break;  // its detail comes next
        at += has_value && at + head < count ? cells_of(std::span(cells).subspan(at)) : head;
      }
      if (tap_ != nullptr) {
        tap_->drained(memory.id, std::span(cells).first(std::min(at, count)), watched.opens);
      }
      from += at;
    }
  }

  // Naps instead of spinning: a consumer that spins on the ring's line doubles the cost of a put.
  void run(const std::stop_token& stop) {
    auto nap = std::chrono::microseconds(20);
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      bool any = false;
      for (auto& [id, watched] : workers_) any = drain(watched) || any;
      nap = any ? 20us : std::min<std::chrono::microseconds>(nap * 2, 5ms);
      static_cast<void>(waiting_.wait_for(lock, stop, nap, [] { return false; }));
    }
  }

  std::mutex mutex_;
  std::condition_variable_any waiting_;
  std::map<WorkerId, Watched> workers_;
  AuditTap* tap_ = nullptr;
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace

std::unique_ptr<AuditSink> make_discarding_audit_sink() {
  return std::make_unique<DiscardingAuditSink>();
}

}  // namespace sessionblocks::director
