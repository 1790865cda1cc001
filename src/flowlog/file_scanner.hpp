// Reads the frames of one log file in order; the chain is the caller's to check.
//
// Holds a window of the file, not the file. Any bytes are answered, none crash. A file that grows
// may be read on: at its end next() says so, and later gives what has come.
#pragma once

#include <string>
#include <vector>

#include "flowlog/frame.hpp"
#include "platform/disk_file.hpp"

namespace sessionblocks::flowlog {

enum class Step : std::uint8_t {
  frame,      // there is a frame, and the scanner has passed it
  end,        // exactly the end of the file
  torn,       // the file ends inside the next frame, or that frame's length is wrong
  malformed,  // what comes next is no frame, or was altered
};

class FileScanner {
 public:
  explicit FileScanner(platform::DiskFile file) noexcept : file_(std::move(file)) {}

  // The frame's payload is valid until the next call. io_error: reading failed.
  [[nodiscard]] Result<Step> next(Frame& frame);
  // After torn or malformed: goes to the next place where a whole frame begins, if there is one. It
  // stays where it is when a whole frame has come to be there meanwhile.
  [[nodiscard]] Result<bool> resync();
  // Whether this file is the one at `path`.
  [[nodiscard]] bool is_file(const std::string& path) const { return file_.is_at(path); }
  // Where the frame that next() gave last begins; where the next one begins.
  [[nodiscard]] std::uint64_t frame_at() const noexcept { return frame_at_; }
  [[nodiscard]] std::uint64_t next_at() const noexcept { return next_at_; }

 private:
  [[nodiscard]] Result<Step> look(std::uint64_t at, Frame& frame);
  [[nodiscard]] Result<std::span<const std::byte>> window(std::uint64_t at, std::size_t bytes);

  platform::DiskFile file_;
  std::vector<std::byte> window_;
  std::uint64_t window_at_ = 0;
  std::uint64_t frame_at_ = 0;
  std::uint64_t next_at_ = 0;
};

// The files of a log folder: flow-<number, 10 digits>.sblog.
[[nodiscard]] std::string log_file_name(std::uint64_t number);
// Numbers of the log files in `folder`, ascending. not_found: no such folder.
[[nodiscard]] Result<std::vector<std::uint64_t>> log_files(const std::string& folder);

}  // namespace sessionblocks::flowlog
