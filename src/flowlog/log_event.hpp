// What the log itself has to tell the director: of a forged ring, of its disk, of its files.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "flowlog/log_record.hpp"

namespace sessionblocks::flowlog {

struct LogEvent {
  enum class Kind : std::uint8_t {
    lane_forged,   // lane
    disk_refuses,  // what comes from now on waits, or is counted
    disk_accepts,  // after that
    disk_lost,     // at the end: what waited for the disk was let go
    tail_cut,      // at open: what a crash tore off
    file_altered,  // at open: the file stays as it is
    file_kept,     // the disk budget's oldest file could not be removed
    not_signed,    // the key, or its public half beside the log, is not to be had
    key_changed,   // another key signs from now on
  };
  Kind kind = Kind::lane_forged;
  LaneRef lane;
  std::string text;
};
// Called from the log's threads: be quick, never call back.
using LogEvents = std::function<void(const LogEvent&)>;

}  // namespace sessionblocks::flowlog
