// Opens segments for workers: what it returns cannot be used to change a segment's size.
//
// Whoever holds a read-write descriptor could shrink the file and give everybody else SIGBUS.
// Landlock binds the right to truncate to the open file at the moment of opening, so this thread
// restricts itself (truncate handled, allowed nowhere) and then opens /dev/shm names on request.
// ftruncate on such a descriptor is refused in every process that ever holds it; mapping and
// storing work. The rest of the process is not restricted.
//
// Only the director uses it. Any of its threads may call open(); requests are served one by one.
// What it opens read-only it opens through a read-only mount, where that is permitted: the owner's
// uid is enough to change a file's mode by any descriptor (fchmod), and workers may have it. A
// read-write descriptor cannot be had that way; its holder may open that one segment to others.
//
// If the kernel has no Landlock ABI 3, segments are opened plainly and strips_truncation() is
// false: the director says so at start. A crash leaves nothing.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <sessionblocks/error.hpp>
#include <string>
#include <thread>

#include "platform/mapping.hpp"
#include "platform/unique_fd.hpp"

namespace sessionblocks::platform {

class OpenerThread {
 public:
  // Starts the thread and waits until it has restricted itself.
  OpenerThread();
  ~OpenerThread();
  OpenerThread(const OpenerThread&) = delete;
  OpenerThread& operator=(const OpenerThread&) = delete;

  // A close-on-exec descriptor of the segment with this name. not_found: no such name; denied;
  // invalid_argument: not a plain name.
  [[nodiscard]] Result<UniqueFd> open(const std::string& name, Access access);

  // Whether ftruncate is refused on what open() returns.
  [[nodiscard]] bool strips_truncation() const noexcept { return strips_truncation_; }

 private:
  struct Request {
    const std::string* name;
    Access access;
    std::optional<Result<UniqueFd>> answer;
  };

  void run();
  [[nodiscard]] Result<UniqueFd> open_here(const std::string& name, Access access) const;

  std::mutex mutex_;
  std::condition_variable changed_;
  Request* request_ = nullptr;  // one at a time; its caller waits for the answer
  bool ready_ = false;
  bool ending_ = false;
  bool strips_truncation_ = false;  // written before ready_, read only after
  UniqueFd read_only_folder_;       // of the thread alone
  std::thread thread_;
};

}  // namespace sessionblocks::platform
