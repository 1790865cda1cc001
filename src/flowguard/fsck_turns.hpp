// Has every block examined, one after the other, within a share of one processor's time.
//
// The registry examines a block that is suspect in slices of its housekeeping, while others write
// to it, and quarantines what is damaged with its bytes as they are. This makes one block suspect
// at a time, and lets as much time pass between two as keeps the whole below kShare.
#pragma once

#include "director/registry.hpp"

namespace sessionblocks::flowguard {

class FsckTurns {
 public:
  static constexpr double kShare = 0.02;
  // What one examination is taken to cost: of each used byte, as measured (README), and of a turn.
  static constexpr double kNsOfByte = 0.5;
  static constexpr double kNsOfTurn = 100'000;

  void look(director::Registry& registry, std::uint64_t now_ms);

 private:
  BlockId last_{};
  std::uint64_t next_ms_ = 0;
};

}  // namespace sessionblocks::flowguard
