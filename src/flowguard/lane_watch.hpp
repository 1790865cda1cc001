// How long a worker's write has been under way, how long one of its reads has kept an entry from
// reuse, and how long its process has been stopped: what does not change from look to look.
//
// Looks at words that the worker stores and believes none of them more than a rule may: a worker
// that lies here can only accuse itself, or go unseen.
#pragma once

#include <array>
#include <cstdint>
#include <map>

#include "director/worker_table.hpp"
#include "layout/readers.hpp"

namespace sessionblocks::flowguard {

// For how long a word has had one value that is not 0.
class Standing {
 public:
  [[nodiscard]] std::uint64_t look(std::uint64_t value, std::uint64_t now_ms) noexcept {
    if (value != value_) since_ms_ = now_ms;
    value_ = value;
    return value == 0 ? 0 : now_ms - since_ms_;
  }

 private:
  std::uint64_t value_ = 0;
  std::uint64_t since_ms_ = 0;
};

class LaneWatch {
 public:
  // The longest of its lanes.
  [[nodiscard]] std::uint64_t operation_ms(const director::Worker& worker, std::uint64_t now_ms);
  [[nodiscard]] std::uint64_t stopped_ms(const director::Worker& worker, std::uint64_t now_ms);

 private:
  std::array<Standing, layout::kLanes> operations_;
  Standing stopped_;
};

// The hazards of one block generation.
class HazardWatch {
 public:
  // How long, in ms: the longest of each worker.
  [[nodiscard]] std::map<WorkerId, std::uint64_t> look(const layout::ReadersSegment& readers,
                                                       std::uint64_t now_ms);

 private:
  struct Seen {
    std::uint64_t owner = 0;
    std::uint64_t node = 0;
    std::uint64_t since_ms = 0;
  };
  std::map<std::uint64_t, Seen> seen_;  // by index
};

}  // namespace sessionblocks::flowguard
