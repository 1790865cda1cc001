// A file descriptor with one owner.
//
// Closes what it holds when it ends; moves, never copies. It does not make descriptors: every
// function of this layer that returns one has already made it close-on-exec.
#pragma once

#include <unistd.h>

#include <utility>

namespace sessionblocks::platform {

class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, kNone)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, kNone));
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  // The number, still owned here; -1 when there is none.
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  // Gives the number away; the caller closes it.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, kNone); }
  // Closes what is held, if anything, and takes `fd` instead.
  // close() is not repeated on EINTR: Linux has freed the number by then.
  void reset(int fd = kNone) noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  static constexpr int kNone = -1;
  int fd_ = kNone;
};

}  // namespace sessionblocks::platform
