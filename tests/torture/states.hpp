// Seals the block and takes it away (quarantine) for a moment while its workers write and die, by
// asking, by a swap to another generation and by killing who holds it. Nothing of it changes
// meanwhile, and the oracle is told when it was, so that it knows who must have been refused, and
// who may have been.
#pragma once

#include <random>
#include <vector>

#include "checkpoints.hpp"
#include "oracle.hpp"
#include "system.hpp"

namespace sessionblocks::torture {

class StateChanger {
 public:
  StateChanger(System& system, Oracle& oracle, CheckpointTaker& checkpoints, std::uint64_t seed)
      : system_(system), oracle_(oracle), checkpoints_(checkpoints), random_(seed ^ 0x5EA1) {}

  // Often, while the workers work. The block is active before and after.
  void turn();

  [[nodiscard]] std::uint64_t seals() const noexcept { return seals_; }
  [[nodiscard]] std::uint64_t quarantines() const noexcept { return quarantines_; }

 private:
  void withhold(bool from_readers, Enforce by);
  [[nodiscard]] std::vector<FoundEntry> entries();
  [[nodiscard]] bool change(director::Transition what, Enforce by);

  System& system_;
  Oracle& oracle_;
  CheckpointTaker& checkpoints_;
  std::mt19937_64 random_;
  std::uint64_t seals_ = 0;
  std::uint64_t quarantines_ = 0;
};

}  // namespace sessionblocks::torture
