// Tells which steps of a victim changed a shared byte.
#pragma once

#include "scene.hpp"
#include "stepper.hpp"

#include <cstring>
#include <vector>

namespace sessionblocks::crash {

class Shadow {
 public:
  explicit Shadow(std::vector<Range> ranges) : ranges_(std::move(ranges)) {
    for (const auto& range : ranges_) copies_.emplace_back(range.live, range.live + range.bytes);
  }
  // Since the last call.
  [[nodiscard]] bool changed() {
    bool any = false;
    for (std::size_t i = 0; i < ranges_.size(); ++i) {
      if (std::memcmp(ranges_[i].live, copies_[i].data(), ranges_[i].bytes) == 0) continue;
      std::memcpy(copies_[i].data(), ranges_[i].live, ranges_[i].bytes);
      any = true;
    }
    return any;
  }
  // The same, but of a repeated instruction (it fills memory that nobody sees yet) only the first
  // change and every 97th.
  [[nodiscard]] bool changed_anew(const Stepper& victim) {
    if (!changed()) return false;
    const std::uint64_t address = victim.address();
    repeats_ = address == address_ ? repeats_ + 1 : 0;
    address_ = address;
    return repeats_ % 97 == 0;
  }

 private:
  std::vector<Range> ranges_;
  std::vector<std::vector<std::byte>> copies_;
  std::uint64_t address_ = 0;
  std::uint64_t repeats_ = 0;
};

}  // namespace sessionblocks::crash
