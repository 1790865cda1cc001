// How many processes there are in the process groups of workers, by the group's number: those that
// a worker forked and that have not made a group of their own.
//
// /proc is read in slices, so that no look takes long however many processes there are; the number
// of a group is the most that the last whole count or the one under way has found.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace sessionblocks::flowguard {

class ProcessCount {
 public:
  static constexpr std::size_t kAtOnce = 128;

  void look();
  [[nodiscard]] std::uint64_t in_group(std::int32_t leader) const;

 private:
  std::vector<std::int32_t> left_;  // to be looked at in this count
  std::map<std::int32_t, std::uint64_t> counting_;
  std::map<std::int32_t, std::uint64_t> counted_;
};

}  // namespace sessionblocks::flowguard
