// Frames and lanes in words, for messages about what is wrong with them.
#pragma once

#include <string>

#include "flowlog/frame.hpp"
#include "flowlog/log_record.hpp"

namespace sessionblocks::flowlog {

[[nodiscard]] std::string lane_text(LaneRef lane);
// What the frame holds, as it says itself: its lane and numbers, its note, its checkpoint.
[[nodiscard]] std::string frame_text(const FrameHeader& header);

}  // namespace sessionblocks::flowlog
