// What is kept of one script's scope from look to look: what it made, and how fast.
#pragma once

#include "flowguard/metrics.hpp"
#include "flowguard/rate.hpp"

namespace sessionblocks::flowguard {

class ScopeWatch {
 public:
  void started() noexcept { ++new_starts_; }

  // What there is at and below the scope now, and what its workers did since the last look.
  struct Turn {
    std::uint64_t pieces = 0;
    std::uint64_t depth = 0;
    std::uint64_t chain = 0;
    std::uint64_t workers = 0;
    std::uint64_t processes = 0;
    std::uint64_t operations = 0;
    std::uint64_t refused = 0;
    double passed_s = 0;
    bool is_first = false;  // the guard's first look: what there is was there before
  };
  [[nodiscard]] Measures look(const Turn& turn);

 private:
  Rate growth_{2};
  Rate starts_{20};
  Rate refused_{20};
  Baseline operations_;
  std::uint64_t pieces_ = 0;
  std::uint64_t new_starts_ = 0;
};

}  // namespace sessionblocks::flowguard
