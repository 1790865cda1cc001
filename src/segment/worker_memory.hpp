// A worker segment, mapped: its lanes and rings, with every index checked.
#pragma once

#include "layout/worker.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sessionblocks::segment {

class WorkerMemory {
 public:
  // `bytes` and `ring_records` as the director knows them, not as the header says.
  WorkerMemory(std::byte* base, std::uint64_t ring_records) noexcept
      : base_(base), ring_records_(ring_records) {}

  [[nodiscard]] layout::WorkerHeader& header() const noexcept {
    return *reinterpret_cast<layout::WorkerHeader*>(base_);
  }
  [[nodiscard]] std::uint64_t ring_records() const noexcept { return ring_records_; }
  // Whether the lane was ever taken; only then its pages may be touched (holes cost memory).
  [[nodiscard]] bool is_lane_used(unsigned lane) const noexcept {
    return ((header().lanes_used.load(std::memory_order_acquire) >> lane) & 1U) != 0;
  }
  // Precondition for the three: lane < layout::kLanes, and it is used.
  [[nodiscard]] layout::LaneHead& lane(unsigned lane) const noexcept {
    return *reinterpret_cast<layout::LaneHead*>(base_ + layout::lane_at(lane, ring_records_));
  }
  [[nodiscard]] layout::OpenCounters* counters(unsigned lane) const noexcept {
    return reinterpret_cast<layout::OpenCounters*>(base_ + layout::lane_at(lane, ring_records_) +
                                                   layout::kLaneHeadBytes);
  }
  [[nodiscard]] layout::AuditRecord* ring(unsigned lane) const noexcept {
    return reinterpret_cast<layout::AuditRecord*>(base_ + ring_offset(lane));
  }
  [[nodiscard]] std::uint64_t ring_offset(unsigned lane) const noexcept {
    return layout::lane_at(lane, ring_records_) + layout::kLaneHeadBytes +
           layout::kLaneCounterBytes;
  }

 private:
  std::byte* base_;
  std::uint64_t ring_records_;
};

}  // namespace sessionblocks::segment
