#include "holders.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include "layout/worker.hpp"

namespace sessionblocks::ctl {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;  // of a private copy
constexpr std::uint64_t kMaxRingRecords = std::uint64_t{1} << 32U;

std::uint64_t word_of(const BlockInfo& block) {
  return (std::uint64_t{raw(block.generation)} << 32U) | raw(block.id);
}

// The header and the heads of the lanes in use; the rings stay where they are.
class WorkerCopy {
 public:
  static std::optional<WorkerCopy> take(const director::RuntimePaths& paths,
                                        const WorkerInfo& worker) {
    const std::uint64_t records = worker.ring_records;
    if (records < layout::kMinRingRecords || records > kMaxRingRecords) return std::nullopt;
    auto segment = SegmentReader::open(paths.worker_segment(worker.id));
    if (!segment || segment->bytes() < layout::worker_bytes(records)) return std::nullopt;
    auto header = PrivateMemory::make(sizeof(layout::WorkerHeader));
    auto lanes = PrivateMemory::make(layout::kLanes * layout::kLaneHeadBytes);
    if (!header || !lanes) return std::nullopt;
    if (!segment->read(0, std::span(header->data(), sizeof(layout::WorkerHeader)))) return {};
    WorkerCopy copy(std::move(*header), std::move(*lanes));
    for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
      if (!copy.is_used(lane)) continue;
      const std::span<std::byte> into(copy.lanes_.data() + lane * layout::kLaneHeadBytes,
                                      sizeof(layout::LaneHead));
      if (!segment->read(layout::lane_at(lane, records), into)) return std::nullopt;
    }
    return copy;
  }

  [[nodiscard]] const layout::WorkerHeader& header() const {
    return *reinterpret_cast<const layout::WorkerHeader*>(header_.data());
  }
  [[nodiscard]] bool is_used(unsigned lane) const {
    return ((header().lanes_used.load(kRelaxed) >> lane) & 1U) != 0;
  }
  [[nodiscard]] const layout::LaneHead& lane(unsigned lane) const {
    return *reinterpret_cast<const layout::LaneHead*>(lanes_.data() +
                                                      lane * layout::kLaneHeadBytes);
  }
  [[nodiscard]] bool names(std::uint64_t open, std::uint64_t block) const {
    return open < layout::kOpens && header().opens[open].load(kRelaxed) == block;
  }

 private:
  WorkerCopy(PrivateMemory header, PrivateMemory lanes) noexcept
      : header_(std::move(header)), lanes_(std::move(lanes)) {}
  PrivateMemory header_;
  PrivateMemory lanes_;
};

void add_lane(const WorkerCopy& copy, unsigned lane, OwnerId owner, std::uint64_t block,
              UnderWay& found) {
  const auto& intent = copy.lane(lane).intent;
  const bool in_flight = intent.op.load(kRelaxed) > intent.done.load(kRelaxed);
  bool busy = in_flight && copy.names(intent.what.load(kRelaxed) >> 16U, block);
  if (busy) {
    for (const auto* node : {&intent.fresh, &intent.old}) {
      if (const std::uint64_t offset = node->load(kRelaxed); offset != 0) {
        found.nodes.push_back(offset);
      }
    }
  }
  const auto& side = copy.lane(lane).side;
  if (side.kind.load(kRelaxed) != 0 && copy.names(side.open.load(kRelaxed), block)) {
    found.nodes.push_back(side.old.load(kRelaxed));
    busy = true;
  }
  if (busy) found.lanes.push_back(owner);
}

}  // namespace

bool has_open(const director::RuntimePaths& paths, const WorkerInfo& worker,
              const BlockInfo& block) {
  const auto copy = WorkerCopy::take(paths, worker);
  if (!copy) return false;
  const auto& opens = copy->header().opens;
  return std::any_of(std::begin(opens), std::end(opens),
                     [&](const auto& open) { return open.load(kRelaxed) == word_of(block); });
}

void UnderWay::add(const UnderWay& other) {
  nodes.insert(nodes.end(), other.nodes.begin(), other.nodes.end());
  lanes.insert(lanes.end(), other.lanes.begin(), other.lanes.end());
}

UnderWay under_way(const director::RuntimePaths& paths, const ControlImage& image,
                   const BlockInfo& block) {
  UnderWay found;
  for (const WorkerInfo& worker : image.workers) {
    const auto copy = WorkerCopy::take(paths, worker);
    if (!copy) continue;
    for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
      if (copy->is_used(lane)) {
        add_lane(*copy, lane, owner_of(worker.id, lane), word_of(block), found);
      }
    }
  }
  return found;
}

RingCounts ring_counts(const director::RuntimePaths& paths, const WorkerInfo& worker) {
  RingCounts counts;
  const auto copy = WorkerCopy::take(paths, worker);
  if (!copy) return counts;
  counts.capacity = worker.ring_records;
  for (unsigned lane = 0; lane < layout::kLanes; ++lane) {
    if (!copy->is_used(lane)) continue;
    const auto& head = copy->lane(lane);
    const std::uint64_t written = head.ring_written.load(kRelaxed);
    const std::uint64_t drained = head.ring_drained.load(kRelaxed);
    ++counts.lanes;
    counts.written += written;
    counts.waiting += written > drained ? written - drained : 0;
    counts.lost += head.ring_lost.load(kRelaxed);
  }
  return counts;
}

}  // namespace sessionblocks::ctl
