#include "flowguard/block_watch.hpp"

#include <algorithm>

#include "platform/clock.hpp"

namespace sessionblocks::flowguard {
namespace {

constexpr double kMinute = 60;

std::uint64_t age_of(const director::Checkpoint& checkpoint) {
  const std::uint64_t now_ms = platform::realtime_ns() / 1'000'000;
  return now_ms > checkpoint.taken_ms ? now_ms - checkpoint.taken_ms : 0;
}

// A block that takes out what it needs least, or what has expired, is meant to be full of that.
bool can_leak(const director::StoredBlock& block) {
  return block.at_limit == sessionblocks::AtLimit::refuse;
}

}  // namespace

std::uint64_t LeakWatch::look(double stale_bytes, bool may_grow, std::uint64_t now_ms) noexcept {
  if (!may_grow) grown_ms_ = now_ms;
  if (stale_bytes > most_ * kGrown) {
    if (most_ == 0) since_ms_ = now_ms;
    most_ = stale_bytes;
    grown_ms_ = now_ms;
  }
  if (stale_bytes < most_ * kShrunk || now_ms - grown_ms_ > kRestMs) {
    most_ = stale_bytes;
    since_ms_ = grown_ms_ = now_ms;
  }
  return stale_bytes == 0 ? 0 : now_ms - since_ms_;
}

std::uint64_t CheckpointWatch::look(const director::StoredBlock& block, std::uint64_t now_ms) {
  if (block.checkpoints.empty()) {
    instant_ = 0;
    return 0;
  }
  const director::Checkpoint& oldest = block.checkpoints.front();
  if (oldest.instant != instant_) {
    instant_ = oldest.instant;
    seen_ms_ = now_ms;
    age_ms_ = age_of(oldest);
  }
  return age_ms_ + (now_ms - seen_ms_);
}

Measures BlockWatch::look(const director::StoredBlock& block, const BlockTurn& turn,
                          const KeySample::Totals& keys, std::uint64_t used_bytes) {
  reads_.add(static_cast<double>(turn.use.reads), turn.passed_s);
  writes_.add(static_cast<double>(turn.use.writes), turn.passed_s);
  refused_.add(static_cast<double>(turn.refused), turn.passed_s);
  if (turn.use.reads + turn.use.writes != 0) used_ms_ = turn.now_ms;
  Measures made;
  made[Metric::used_bytes] = static_cast<double>(used_bytes);
  made[Metric::fill] = static_cast<double>(used_bytes) /
                       static_cast<double>(std::max<std::uint64_t>(block.quota_bytes, 1));
  made[Metric::live_bytes] = keys.live_bytes;
  made[Metric::stale_bytes] = keys.stale_bytes;
  made[Metric::stale_share] = keys.live_bytes > 0 ? keys.stale_bytes / keys.live_bytes : 0;
  // Both: a block that is used less and less has more and more that is stale, and does not grow.
  const bool may_grow = !block.is_denied_growth;
  const std::uint64_t leaking_ms = std::min(leak_.look(keys.stale_bytes, may_grow, turn.now_ms),
                                            growth_.look(keys.live_bytes, may_grow, turn.now_ms));
  made[Metric::leaking_ms] = can_leak(block) ? static_cast<double>(leaking_ms) : 0;
  made[Metric::denied_growth_ms] =
      static_cast<double>(denied_growth_.look(block.is_denied_growth ? 1 : 0, turn.now_ms));
  made[Metric::unread_entries] = keys.unread_entries;
  made[Metric::unused_ms] = static_cast<double>(turn.now_ms - used_ms_);
  made[Metric::reads_per_s] = reads_.per_s();
  made[Metric::writes_per_s] = writes_.per_s();
  made[Metric::refused_per_min] = refused_.per_s() * kMinute;
  made[Metric::oldest_checkpoint_ms] =
      static_cast<double>(oldest_checkpoint_.look(block, turn.now_ms));
  made[Metric::unredeemed] = static_cast<double>(shared_ - std::min(shared_, redeemed_));
  made[Metric::hazard_ms] = static_cast<double>(longest_hazard_ms_);
  made[Metric::excess_bytes] = static_cast<double>(excess_.look(block.excess_bytes, turn.now_ms));
  made[Metric::mode_changes] =
      static_cast<double>(mode_changes_.look(block.mode_changes, turn.now_ms));
  made[Metric::exposures] = static_cast<double>(exposed_.look(exposures_, turn.now_ms));
  return made;
}

std::map<WorkerId, std::uint64_t> BlockWatch::look_at_hazards(const director::StoredBlock& block,
                                                              std::uint64_t now_ms) {
  longest_hazard_ms_ = 0;
  if (!block.readers || block.readers->memory().size() < sizeof(layout::ReadersSegment)) return {};
  const auto& readers =
      *reinterpret_cast<const layout::ReadersSegment*>(block.readers->memory().data());
  auto held = hazards_.look(readers, now_ms);
  for (const auto& [worker, ms] : held) longest_hazard_ms_ = std::max(longest_hazard_ms_, ms);
  return held;
}

WorkerId BlockWatch::main_writer() const noexcept {
  const auto most =
      std::max_element(written_by_.begin(), written_by_.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == written_by_.end() ? WorkerId{} : most->first;
}

}  // namespace sessionblocks::flowguard
