#include "flowguard/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace sessionblocks::flowguard {
namespace {

constexpr std::array<MetricInfo, kMetrics> kInfos = {{
    {Metric::used_bytes, Kind::block, Unit::bytes, "block.used_bytes",
     "memory that its entries have taken so far"},
    {Metric::fill, Kind::block, Unit::share, "block.fill", "that, of its quota"},
    {Metric::live_bytes, Kind::block, Unit::bytes, "block.live_bytes",
     "keys' values that are there now, estimated from a sample of its keys"},
    {Metric::stale_bytes, Kind::block, Unit::bytes, "block.stale_bytes",
     "of those, written half a minute ago or more, and neither read nor changed since"},
    {Metric::stale_share, Kind::block, Unit::share, "block.stale_share", "that, of the live ones"},
    {Metric::leaking_ms, Kind::block, Unit::ms, "block.leaking",
     "for how long its live and its stale bytes have grown, each within a minute"},
    {Metric::denied_growth_ms, Kind::block, Unit::ms, "block.denied_growth",
     "for how long a rule has given it no more memory"},
    {Metric::unread_entries, Kind::block, Unit::number, "block.unread_entries",
     "entries that nobody has read since they were first written, a minute ago or more"},
    {Metric::unused_ms, Kind::block, Unit::ms, "block.unused", "since anybody read or wrote it"},
    {Metric::reads_per_s, Kind::block, Unit::number, "block.reads_per_s", "reads a second"},
    {Metric::writes_per_s, Kind::block, Unit::number, "block.writes_per_s", "writes a second"},
    {Metric::refused_per_min, Kind::block, Unit::number, "block.refused_per_min",
     "operations that its state or a grant refused, a minute"},
    {Metric::oldest_checkpoint_ms, Kind::block, Unit::ms, "block.oldest_checkpoint",
     "since its oldest checkpoint was taken"},
    {Metric::unredeemed, Kind::block, Unit::number, "block.unredeemed",
     "references to it that were made and not redeemed"},
    {Metric::hazard_ms, Kind::block, Unit::ms, "block.hazard",
     "for how long some reader has kept one of its entries from reuse"},
    {Metric::excess_bytes, Kind::block, Unit::bytes, "block.excess_bytes",
     "what its segment is longer than its quota"},
    {Metric::mode_changes, Kind::block, Unit::number, "block.mode_changes",
     "how often the mode or owner of its segment was not what the director had made it"},
    {Metric::exposures, Kind::block, Unit::number, "block.exposures",
     "sensitive values of other blocks that were found in it"},
    {Metric::worker_reads_per_s, Kind::worker, Unit::number, "worker.reads_per_s",
     "reads a second"},
    {Metric::worker_writes_per_s, Kind::worker, Unit::number, "worker.writes_per_s",
     "writes a second"},
    {Metric::worker_requests_per_s, Kind::worker, Unit::number, "worker.requests_per_s",
     "requests to the director, a second"},
    {Metric::worker_refused_per_min, Kind::worker, Unit::number, "worker.refused_per_min",
     "operations and requests that were refused, a minute"},
    {Metric::worker_probes_per_min, Kind::worker, Unit::number, "worker.probes_per_min",
     "names of blocks and scopes that it asked for and that are not there for it, a minute"},
    {Metric::worker_misused_references_per_min, Kind::worker, Unit::number,
     "worker.misused_references_per_min",
     "references that it was refused: forged, another's, expired, used, revoked, a minute"},
    {Metric::worker_forgeries, Kind::worker, Unit::number, "worker.forgeries",
     "records and intents of its own that cannot be true"},
    {Metric::worker_operation_ms, Kind::worker, Unit::ms, "worker.operation",
     "for how long one write has been under way"},
    {Metric::worker_hazard_ms, Kind::worker, Unit::ms, "worker.hazard",
     "for how long one read has kept an entry from reuse"},
    {Metric::worker_stopped_ms, Kind::worker, Unit::ms, "worker.stopped",
     "for how long its process has been stopped"},
    {Metric::scope_pieces, Kind::scope, Unit::number, "scope.pieces",
     "blocks and scopes at and below it"},
    {Metric::scope_pieces_per_s, Kind::scope, Unit::number, "scope.pieces_per_s",
     "how many more of them there are each second"},
    {Metric::scope_starts_per_min, Kind::scope, Unit::number, "scope.starts_per_min",
     "scripts started at its request or below it, a minute"},
    {Metric::scope_depth, Kind::scope, Unit::number, "scope.depth",
     "scopes below one another, from it to the deepest"},
    {Metric::scope_chain, Kind::scope, Unit::number, "scope.chain",
     "the longest chain of inherited blocks and forks of forks that ends in it"},
    {Metric::scope_workers, Kind::scope, Unit::number, "scope.workers",
     "workers attached at or below it"},
    {Metric::scope_processes, Kind::scope, Unit::number, "scope.processes",
     "processes in the groups of its workers"},
    {Metric::scope_refused_per_min, Kind::scope, Unit::number, "scope.refused_per_min",
     "operations and requests of its workers that were refused, a minute"},
    {Metric::scope_deviation, Kind::scope, Unit::number, "scope.deviation",
     "how far its rate of operations is from its own past, in standard deviations"},
}};

std::string number_text(double value, const char* unit) {
  char text[48];
  const int digits = value < 100 && value != std::floor(value) ? 1 : 0;
  std::snprintf(text, sizeof text, "%.*f%s", digits, value, unit);
  return text;
}

std::string bytes_text(double value) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; value >= 1'024 && unit + 1 < kUnits.size(); ++unit) value /= 1'024;
  return number_text(value, kUnits.at(unit));
}

std::string ms_text(double value) {
  const auto ms = static_cast<std::uint64_t>(value);
  if (ms < 1'000) return std::to_string(ms) + "ms";
  if (ms < 60'000) return number_text(value / 1'000, "s");
  const std::uint64_t minutes = ms / 60'000;
  if (minutes < 60) return std::to_string(minutes) + "m " + std::to_string(ms / 1'000 % 60) + "s";
  return std::to_string(minutes / 60) + "h " + std::to_string(minutes % 60) + "m";
}

}  // namespace

std::string_view word(Kind kind) noexcept {
  switch (kind) {
    case Kind::block:
      return "block";
    case Kind::worker:
      return "worker";
    case Kind::scope:
      return "scope";
  }
  return "?";
}

std::span<const MetricInfo> metrics() noexcept {
  return kInfos;
}

const MetricInfo& info(Metric metric) noexcept {
  return kInfos.at(static_cast<std::size_t>(metric));
}

std::optional<Metric> metric_of(std::string_view name) noexcept {
  const auto* const found = std::find_if(
      kInfos.begin(), kInfos.end(), [name](const MetricInfo& one) { return one.name == name; });
  if (found == kInfos.end()) return std::nullopt;
  return found->metric;
}

std::string text_of(Metric metric, double value) {
  switch (info(metric).unit) {
    case Unit::number:
      return number_text(value, "");
    case Unit::share:
      return number_text(value * 100, "%");
    case Unit::bytes:
      return bytes_text(value);
    case Unit::ms:
      return ms_text(value);
  }
  return {};
}

}  // namespace sessionblocks::flowguard
