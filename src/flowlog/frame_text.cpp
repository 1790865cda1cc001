#include "flowlog/frame_text.hpp"

namespace sessionblocks::flowlog {

std::string lane_text(LaneRef lane) {
  return "worker " + std::to_string(lane.worker) + " lane " + std::to_string(lane.lane);
}

std::string frame_text(const FrameHeader& header) {
  const std::string lane = lane_text({header.worker, header.lane});
  const std::string first = std::to_string(header.first);
  switch (header.kind) {
    case FrameKind::records:
      return lane + " numbers " + first + " to " + std::to_string(header.first + header.cells - 1);
    case FrameKind::gap:
      return lane + ", a gap from " + first + " on";
    case FrameKind::note:
      return "note " + first;
    case FrameKind::checkpoint:
      return "checkpoint " + first;
    case FrameKind::values:
      return lane + ", values from " + first + " on";
    case FrameKind::keys:
      return "names of keys";
    default:
      return "the file's beginning";
  }
}

}  // namespace sessionblocks::flowlog
