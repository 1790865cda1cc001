// A named segment in /dev/shm, as the director and the inspector see it.
//
// What it does: creates a segment that nobody had (O_EXCL, 0600), gives it its size once, reserves
// memory for it, opens an existing one by name, lists and removes names.
// What it does not: workers never come here (they get descriptors from OpenerThread); the end of a
// SharedSegment closes the descriptor and leaves the name, because blocks outlive directors.
// Names are plain, without a slash: "sessionblocks.1000.default.control".
//
// What a crash leaves: a name, perhaps of size 0 (created, not yet sized). A sweep finds it with
// list() and removes it with unlink(); nobody takes a segment of size 0 for a block.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <sessionblocks/error.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "platform/mapping.hpp"

namespace boost::interprocess {
class shared_memory_object;
}

namespace sessionblocks::platform {

struct SegmentStatus {
  std::uint64_t size_bytes = 0;
  std::uint64_t allocated_bytes = 0;  // memory that it holds now
  std::uint64_t links = 0;            // 0 once its name was removed
  uid_t owner = 0;
};

// fstat of any segment's descriptor. io_error when the system refuses.
[[nodiscard]] Result<SegmentStatus> segment_status(int fd);

class SharedSegment {
 public:
  SharedSegment(SharedSegment&&) noexcept;
  SharedSegment& operator=(SharedSegment&&) noexcept;
  ~SharedSegment();

  // A new segment of `bytes` zeroes; no memory is taken yet. exists: the name is taken, nothing was
  // touched; invalid_argument: bytes is 0 or the name is not plain. On any error no name is left.
  [[nodiscard]] static Result<SharedSegment> create(const std::string& name, std::uint64_t bytes);

  // An existing segment, its size as it is. not_found: no such name; denied: another user's.
  [[nodiscard]] static Result<SharedSegment> open_existing(const std::string& name, Access access);

  // open_existing read-write for a director that takes over. denied also when another user owns
  // the file. A mode that lets others in, which only a holder of a descriptor can have set, is put
  // back to 0600.
  [[nodiscard]] static Result<SharedSegment> adopt(const std::string& name);

  // Removes the name; whoever mapped it keeps the memory. not_found when there is none.
  [[nodiscard]] static Result<void> unlink(const std::string& name);

  // Names in /dev/shm that begin with `prefix`, sorted.
  [[nodiscard]] static Result<std::vector<std::string>> list(std::string_view prefix);

  // Takes memory for [offset, offset + bytes) so that no later load or store there can fail.
  // out_of_memory: /dev/shm is full; what was there stays, a part may have been reserved, and the
  // call can be repeated. invalid_argument: outside the segment. Costs about 0.3 ms per MiB.
  [[nodiscard]] Result<void> reserve(std::uint64_t offset, std::uint64_t bytes) const;

  // Gives all its memory back: whoever maps it finds zeroes. out_of_memory, io_error: what is left
  // in it is not known.
  [[nodiscard]] Result<void> discard() const;

  // Takes back what was added to the end of the file after this object was made; whoever mapped
  // that loses it. Returns how many bytes those were; 0 also when the system refused.
  [[nodiscard]] std::uint64_t cut_back() const noexcept;
  // Any holder of a descriptor who has the owner's uid may have changed the mode, so that nobody
  // could open the file by its name any more. False: the system refused.
  [[nodiscard]] bool restore_mode() const noexcept;
  // False: others changed its mode or its owner. True also when the system does not say.
  [[nodiscard]] bool has_own_mode() const noexcept;

  [[nodiscard]] Result<SegmentStatus> status() const { return segment_status(fd()); }
  [[nodiscard]] Result<Mapping> map(Access access) const;

  [[nodiscard]] int fd() const noexcept;
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  using Object = boost::interprocess::shared_memory_object;
  SharedSegment(std::unique_ptr<Object> object, std::string name, std::uint64_t bytes) noexcept;

  std::unique_ptr<Object> object_;
  std::string name_;
  std::uint64_t bytes_ = 0;
};

}  // namespace sessionblocks::platform
