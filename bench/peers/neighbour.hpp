// A process beside the measured one that writes to the same data, and dies if the case says so.
#pragma once

#include <cstdint>
#include <optional>

#include "case.hpp"
#include "child.hpp"
#include "stage.hpp"

namespace sessionblocks::bench {

class Neighbour {
 public:
  // Starts it, unless the case has none, and waits until it works.
  Neighbour(Stage& stage, const Case& one, std::uint64_t seed);

  // Until `worker` says something or ends. Kills it and starts another every 20 ms meanwhile.
  void live_and_die_until_ready(const Child& worker);
  [[nodiscard]] std::uint64_t deaths() const { return deaths_; }

 private:
  void start();

  Stage& stage_;
  Case case_;
  std::uint64_t seed_;
  std::optional<Child> process_;
  std::uint64_t deaths_ = 0;
};

}  // namespace sessionblocks::bench
