#include "flowguard/scope_watch.hpp"

#include <algorithm>
#include <utility>

namespace sessionblocks::flowguard {

Measures ScopeWatch::look(const Turn& turn) {
  constexpr double kMinute = 60;
  if (turn.is_first) pieces_ = turn.pieces;
  const auto before = static_cast<double>(std::exchange(pieces_, turn.pieces));
  growth_.add(static_cast<double>(turn.pieces) - before, turn.passed_s);
  starts_.add(static_cast<double>(std::exchange(new_starts_, 0)), turn.passed_s);
  refused_.add(static_cast<double>(turn.refused), turn.passed_s);
  operations_.add(static_cast<double>(turn.operations), turn.passed_s);
  Measures made;
  made[Metric::scope_pieces] = static_cast<double>(turn.pieces);
  made[Metric::scope_pieces_per_s] = std::max(growth_.per_s(), 0.0);
  made[Metric::scope_starts_per_min] = starts_.per_s() * kMinute;
  made[Metric::scope_depth] = static_cast<double>(turn.depth);
  made[Metric::scope_chain] = static_cast<double>(turn.chain);
  made[Metric::scope_workers] = static_cast<double>(turn.workers);
  made[Metric::scope_processes] = static_cast<double>(turn.processes);
  made[Metric::scope_refused_per_min] = refused_.per_s() * kMinute;
  made[Metric::scope_deviation] = operations_.deviation();
  return made;
}

}  // namespace sessionblocks::flowguard
