// Runs cases against peers, one dataset of one peer at a time.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "case.hpp"
#include "clock.hpp"
#include "peer.hpp"
#include "row.hpp"
#include "worker.hpp"

namespace sessionblocks::bench {

struct RunPlan {
  std::vector<const Peer*> peers;
  std::vector<Case> cases;
  Effort effort;
  unsigned repetitions = 1;
  const Clock* clock = nullptr;
};

// Why a peer is not asked to do a case; empty: it is.
[[nodiscard]] std::string unable(const Peer& peer, const Case& one);

// Calls `done` with each row. A case that fails is a row with an error; Interrupted passes through.
void run_all(const RunPlan& plan, const std::function<void(const Row&)>& done);

}  // namespace sessionblocks::bench
