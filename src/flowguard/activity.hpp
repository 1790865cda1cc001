// What workers did, as their drained records say: counted by worker and block on whatever thread
// drains, and taken by the guard at each look.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "director/audit_tap.hpp"
#include "flowguard/key_sample.hpp"

namespace sessionblocks::flowguard {

struct Use {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t written_bytes = 0;
};

class Activity final : public director::AuditTap {
 public:
  void drained(WorkerId worker, std::span<const RingCell> cells,
               const director::OpenBlocks& opens) override;
  void forged(WorkerId worker) override;
  // The guard's clock, by which entries age. Before it is first set they do not.
  void set_now(std::uint64_t now_ms) noexcept { now_ms_.store(now_ms, std::memory_order_relaxed); }

  using Uses = std::map<std::pair<WorkerId, BlockId>, Use>;
  struct Taken {
    Uses uses;
    std::map<WorkerId, std::uint64_t> forgeries;
  };
  // Since it was asked last.
  [[nodiscard]] Taken take();
  [[nodiscard]] KeySample::Totals keys_of(BlockId block, std::uint64_t now_ms) const;
  void forget(BlockId block);

 private:
  void count(const RingCell& record, Use& use);

  mutable std::mutex mutex_;
  Taken taken_;
  std::map<BlockId, KeySample> samples_;
  std::atomic<std::uint64_t> now_ms_{0};
};

}  // namespace sessionblocks::flowguard
