// Rolls the block back, forks and compacts it while its workers write and die. The checkpoints that
// it goes back to are taken in pauses, when the oracle knows what each key is; what it brings back
// is told to the oracle, which finds each change of it in the log. A fork is held against the
// instant that it says it is of, and the oracle is told of that instant.
#pragma once

#include <random>
#include <string>

#include "checkpoints.hpp"
#include "oracle.hpp"
#include "system.hpp"

namespace sessionblocks::torture {

class GenerationMaker {
 public:
  GenerationMaker(System& system, Oracle& oracle, CheckpointTaker& checkpoints, const KeySet& keys,
                  std::uint64_t seed)
      : system_(system),
        oracle_(oracle),
        checkpoints_(checkpoints),
        keys_(keys),
        random_(seed ^ 0x6E6) {}

  // Often, while the workers work. At most one rollback between two pauses.
  void turn();
  // Nobody works, and the oracle has judged.
  void at_rest();
  // Of the block's end: nothing stays pinned.
  void release_all();

  [[nodiscard]] std::uint64_t rollbacks() const noexcept { return rollbacks_; }
  [[nodiscard]] std::uint64_t brought_back() const noexcept { return oracle_.brought_back(); }
  [[nodiscard]] std::uint64_t forks() const noexcept { return forks_; }
  [[nodiscard]] std::uint64_t compactions() const noexcept { return compactions_; }

 private:
  void roll_back();
  void fork();
  void compact();

  System& system_;
  Oracle& oracle_;
  CheckpointTaker& checkpoints_;
  const KeySet& keys_;
  std::mt19937_64 random_;
  std::string name_;  // of the checkpoint to go back to; empty: none
  std::uint64_t instant_ = 0;
  States then_;
  bool has_rolled_back_ = false;  // since the last pause
  std::uint64_t taken_ = 0;
  std::uint64_t rollbacks_ = 0;
  std::uint64_t forks_ = 0;
  std::uint64_t compactions_ = 0;
};

}  // namespace sessionblocks::torture
