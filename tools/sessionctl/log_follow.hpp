// log --follow: shows what matches as it is drained into files.
#pragma once

#include <chrono>
#include <optional>

#include "flowlog/log_follower.hpp"
#include "flowlog/query.hpp"
#include "log_output.hpp"

namespace sessionblocks::ctl {

struct FollowOptions {
  std::string folder;
  flowlog::LogFollower::From from = flowlog::LogFollower::From::now;
  std::optional<std::chrono::milliseconds> duration;
};

// Returns after SIGINT or SIGTERM, or when the duration has passed; each line is out by then. When
// nobody reads stdout any more this process ends by SIGPIPE, as any program before a pipe; where
// that is ignored, io_error. Also what LogFollower::next says.
[[nodiscard]] Result<void> follow_log(const FollowOptions& options, const flowlog::Query& query,
                                      LogPrinter& printer);

}  // namespace sessionblocks::ctl
