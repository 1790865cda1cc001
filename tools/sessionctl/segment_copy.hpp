// Reading named segments with pread into memory of our own: nothing that runs is disturbed, and
// nothing that a worker does to a segment (a hole, a cut) can hurt us.
//
// A live file is never mapped: a load of a hole would take memory from /dev/shm, and be SIGBUS
// when there is none. A copy of a segment that others write to is of no single instant.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>

#include "platform/shared_segment.hpp"
#include "platform/unique_fd.hpp"

namespace sessionblocks::ctl {

// Zeroed pages that take memory only once they are written.
class PrivateMemory {
 public:
  // out_of_memory.
  [[nodiscard]] static Result<PrivateMemory> make(std::uint64_t bytes);
  PrivateMemory(PrivateMemory&& other) noexcept;
  PrivateMemory& operator=(PrivateMemory&& other) noexcept;
  ~PrivateMemory();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  PrivateMemory(std::byte* data, std::uint64_t bytes) noexcept : data_(data), bytes_(bytes) {}
  std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
};

class SegmentReader {
 public:
  // not_found: no segment of this name; denied: another user's.
  [[nodiscard]] static Result<SegmentReader> open(const std::string& name);
  // A descriptor that the director gave us.
  [[nodiscard]] static Result<SegmentReader> over(platform::UniqueFd fd, std::string name);

  // corrupt: the file ends before that.
  [[nodiscard]] Result<void> read(std::uint64_t offset, std::span<std::byte> into) const;
  // [0, bytes) of the file; holes stay zero and take no memory here either.
  [[nodiscard]] Result<PrivateMemory> copy(std::uint64_t bytes) const;
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  SegmentReader() = default;
  [[nodiscard]] int fd() const noexcept { return segment_ ? segment_->fd() : fd_.get(); }

  std::optional<platform::SharedSegment> segment_;
  platform::UniqueFd fd_;
  std::string name_;
  std::uint64_t bytes_ = 0;
};

}  // namespace sessionblocks::ctl
