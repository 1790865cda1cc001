// Has every block examined, one after the other, within a share of one processor's time.
//
// The registry examines a block that is suspect in slices of its housekeeping, while others write
// to it, and quarantines what is damaged with its bytes as they are. This makes one block suspect
// at a time, and the next one when what examining has taken so far is no more than kShare of the
// time that has passed.
#pragma once

#include <optional>

#include "director/registry.hpp"

namespace sessionblocks::flowguard {

class FsckTurns {
 public:
  static constexpr double kShare = 0.02;

  void look(director::Registry& registry, std::uint64_t now_ms);

 private:
  struct Begun {
    std::uint64_t now_ms = 0;
    std::uint64_t examined_ns = 0;
  };
  std::optional<Begun> begun_;
  BlockId last_{};
};

}  // namespace sessionblocks::flowguard
