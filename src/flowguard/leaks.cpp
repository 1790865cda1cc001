#include "flowguard/leaks.hpp"

#include "platform/clock.hpp"

namespace sessionblocks::flowguard {
namespace {

constexpr double kMinute = 60'000;

std::string kinds_of(const Measures& of) {
  std::string kinds;
  const auto add = [&kinds](bool is_so, std::string_view kind) {
    if (is_so) kinds.append(kinds.empty() ? "" : " ").append(kind);
  };
  add(of[Metric::leaking_ms] >= kMinute && of[Metric::stale_share] >= 0.5, "growing");
  add(of[Metric::unread_entries] >= 16 && of[Metric::stale_share] >= 0.5, "unread");
  add(of[Metric::unused_ms] >= 10 * kMinute, "outlived");
  add(of[Metric::oldest_checkpoint_ms] >= 10 * kMinute, "checkpoint");
  add(of[Metric::unredeemed] >= 10, "unredeemed");
  add(of[Metric::hazard_ms] >= 10'000, "hazard");
  return kinds;
}

std::uint64_t whole(double value) {
  return value <= 0 ? 0 : static_cast<std::uint64_t>(value);
}

}  // namespace

Message leaks_of(director::Registry& registry, const Observer& observer,
                 std::span<const Observed> observed) {
  const std::uint64_t now_ms = platform::realtime_ns() / 1'000'000;
  Message rows = Message::array();
  for (const Observed& one : observed) {
    if (one.kind != Kind::block) continue;
    const auto id = static_cast<BlockId>(one.id);
    const director::StoredBlock* block = registry.blocks.find(id);
    const std::string kinds = kinds_of(one.measures);
    if (block == nullptr || kinds.empty()) continue;
    const director::Scope* owner = registry.scopes.find(block->policy.owner);
    const std::uint64_t created_ms = registry.control.block(block->row).created_ms;
    rows.push_back({{"scope", owner != nullptr ? owner->path : std::string()},
                    {"worker", raw(observer.main_writer(id))},
                    {"block", one.id},
                    {"name", block->policy.name},
                    {"kinds", kinds},
                    {"age", now_ms > created_ms ? now_ms - created_ms : 0},
                    {"growing", whole(one.measures[Metric::leaking_ms])},
                    {"stale", whole(one.measures[Metric::stale_bytes])},
                    {"live", whole(one.measures[Metric::live_bytes])},
                    {"used", whole(one.measures[Metric::used_bytes])},
                    {"unread", whole(one.measures[Metric::unread_entries])},
                    {"unredeemed", whole(one.measures[Metric::unredeemed])}});
  }
  return rows;
}

}  // namespace sessionblocks::flowguard
