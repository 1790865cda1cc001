// "Only one of us": an exclusive flock on a file that names its holder.
//
// The lock ends with the holder, however it dies; the file stays and the next holder writes its
// own pid into it. It is never passed on: the descriptor is close-on-exec, and started programs
// get only the descriptors that they are given. Not for segments (a passed descriptor can lock).
#pragma once

#include <sys/types.h>

#include <optional>
#include <sessionblocks/error.hpp>
#include <string>

#include "platform/unique_fd.hpp"

namespace sessionblocks::platform {

class FileLock {
 public:
  // Takes the lock or says who has it: at once, unless that one has ended and a child of it is
  // about to let go. already_running: held, with the holder's pid in the message; otherwise what
  // open() says.
  [[nodiscard]] static Result<FileLock> acquire(const std::string& path);

  // The pid of whoever holds the lock now; nothing when it is free or the file is absent. The
  // answer is old when it arrives; it is for messages.
  [[nodiscard]] static std::optional<pid_t> holder(const std::string& path);

 private:
  explicit FileLock(UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace sessionblocks::platform
