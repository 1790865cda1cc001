// Turns: some of many things at a time, so that each gets its turn within a bounded number of
// turns.
#pragma once

#include <algorithm>
#include <cstddef>

namespace sessionblocks::director {

class Turns {
 public:
  // A turn over `count` things; next() is then asked for each of them, in an order that stays.
  void begin(std::size_t count) noexcept {
    first_ = end_ < count ? end_ : 0;
    end_ = first_ + std::max(kFewest, (count + kRound - 1) / kRound);
    at_ = 0;
  }
  // Whether this one has its turn now.
  [[nodiscard]] bool next() noexcept {
    const std::size_t at = at_++;
    return at >= first_ && at < end_;
  }

 private:
  static constexpr std::size_t kRound = 64;   // turns until everyone had one
  static constexpr std::size_t kFewest = 16;  // in a turn: so few have one every time

  std::size_t first_ = 0;
  std::size_t end_ = 0;
  std::size_t at_ = 0;
};

}  // namespace sessionblocks::director
