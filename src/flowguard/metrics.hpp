// What FlowGuard measures of blocks, workers and scopes, by the names that rules use.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sessionblocks::flowguard {

enum class Kind : std::uint8_t { block, worker, scope };
[[nodiscard]] std::string_view word(Kind kind) noexcept;

// How values are written: 100, 0.5 or 50%, 4MiB, 10m.
enum class Unit : std::uint8_t { number, share, bytes, ms };

enum class Metric : std::uint8_t {
  // block
  used_bytes,
  fill,
  live_bytes,
  stale_bytes,
  stale_share,
  leaking_ms,
  denied_growth_ms,
  unread_entries,
  unused_ms,
  reads_per_s,
  writes_per_s,
  refused_per_min,
  oldest_checkpoint_ms,
  unredeemed,
  hazard_ms,
  excess_bytes,
  mode_changes,
  exposures,
  // worker
  worker_reads_per_s,
  worker_writes_per_s,
  worker_requests_per_s,
  worker_refused_per_min,
  worker_probes_per_min,
  worker_misused_references_per_min,
  worker_forgeries,
  worker_operation_ms,
  worker_hazard_ms,
  worker_stopped_ms,
  // scope
  scope_pieces,
  scope_pieces_per_s,
  scope_starts_per_min,
  scope_depth,
  scope_chain,
  scope_workers,
  scope_processes,
  scope_refused_per_min,
  scope_deviation,
  kEnd,
};
inline constexpr std::size_t kMetrics = static_cast<std::size_t>(Metric::kEnd);

struct MetricInfo {
  Metric metric;
  Kind kind;
  Unit unit;
  std::string_view name;  // "block.fill"
  std::string_view what;  // for people
};

[[nodiscard]] std::span<const MetricInfo> metrics() noexcept;
[[nodiscard]] const MetricInfo& info(Metric metric) noexcept;
[[nodiscard]] std::optional<Metric> metric_of(std::string_view name) noexcept;
// "31%", "5.2MiB", "6m 12s", "1,234.5": for people.
[[nodiscard]] std::string text_of(Metric metric, double value);

// The values of one block, worker or scope; what it has none of is 0.
class Measures {
 public:
  [[nodiscard]] double operator[](Metric metric) const noexcept {
    return values_[static_cast<std::size_t>(metric)];
  }
  [[nodiscard]] double& operator[](Metric metric) noexcept {
    return values_[static_cast<std::size_t>(metric)];
  }

 private:
  std::array<double, kMetrics> values_{};
};

// One of them, as it was looked at.
struct Observed {
  Kind kind = Kind::block;
  std::uint32_t id = 0;
  std::string text;  // block 7 cart; worker 3; scope shop/checkout
  Measures measures;
};

}  // namespace sessionblocks::flowguard
