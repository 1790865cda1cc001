// What is kept of one block from look to look.
#pragma once

#include "director/block_store.hpp"
#include "flowguard/activity.hpp"
#include "flowguard/lane_watch.hpp"
#include "flowguard/metrics.hpp"
#include "flowguard/rate.hpp"

namespace sessionblocks::flowguard {

// Growth of what nobody touches: how long it has gone on. It is broken off when there is 5 % less
// of it than there was at most, or when it has not grown for a minute although it may. The estimate
// that it is fed errs by some per cent, so a step counts as growth from one in a thousand on.
class LeakWatch {
 public:
  static constexpr double kShrunk = 0.95;
  static constexpr double kGrown = 1.001;
  static constexpr std::uint64_t kRestMs = 60'000;

  // `may_grow`: nobody has denied it that.
  [[nodiscard]] std::uint64_t look(double stale_bytes, bool may_grow,
                                   std::uint64_t now_ms) noexcept;

 private:
  double most_ = 0;
  std::uint64_t since_ms_ = 0;
  std::uint64_t grown_ms_ = 0;
};

// The age of a block's oldest checkpoint: by the time of day when it is first seen, which is all
// that is known then, and from there on by the guard's clock, as the time of day can be set.
class CheckpointWatch {
 public:
  [[nodiscard]] std::uint64_t look(const director::StoredBlock& block, std::uint64_t now_ms);

 private:
  std::uint64_t instant_ = 0;  // which one; 0: none
  std::uint64_t seen_ms_ = 0;
  std::uint64_t age_ms_ = 0;  // then
};

// What happened to a block since the last look.
struct BlockTurn {
  Use use;
  std::uint64_t refused = 0;
  std::uint64_t now_ms = 0;
  double passed_s = 0;
};

class BlockWatch {
 public:
  explicit BlockWatch(std::uint64_t now_ms) noexcept : used_ms_(now_ms) {}

  // `used_bytes`: as the data plane says.
  [[nodiscard]] Measures look(const director::StoredBlock& block, const BlockTurn& turn,
                              const KeySample::Totals& keys, std::uint64_t used_bytes);
  // The longest hazard of each worker; what look() says of the longest of all follows from it.
  [[nodiscard]] std::map<WorkerId, std::uint64_t> look_at_hazards(
      const director::StoredBlock& block, std::uint64_t now_ms);
  void shared() noexcept { ++shared_; }
  void redeemed() noexcept { ++redeemed_; }
  void exposed() noexcept { ++exposures_; }
  // Who wrote most of what was written since it was first looked at; none: nobody.
  void wrote(WorkerId worker, std::uint64_t writes) { written_by_[worker] += writes; }
  [[nodiscard]] WorkerId main_writer() const noexcept;

 private:
  Rate reads_{1};
  Rate writes_{1};
  Rate refused_{20};
  Lately excess_;
  Lately mode_changes_;
  Lately exposed_;
  LeakWatch leak_;    // of what is stale
  LeakWatch growth_;  // of all that is there
  Standing denied_growth_;
  CheckpointWatch oldest_checkpoint_;
  HazardWatch hazards_;
  std::uint64_t longest_hazard_ms_ = 0;
  std::uint64_t used_ms_;
  std::uint64_t shared_ = 0;
  std::uint64_t redeemed_ = 0;
  std::uint64_t exposures_ = 0;
  std::map<WorkerId, std::uint64_t> written_by_;
};

}  // namespace sessionblocks::flowguard
