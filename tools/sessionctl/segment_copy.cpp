#include "segment_copy.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "platform/os_error.hpp"

namespace sessionblocks::ctl {

Result<PrivateMemory> PrivateMemory::make(std::uint64_t bytes) {
  void* const data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) return platform::fail_errno("take memory for", "a copy of a segment");
  return PrivateMemory(static_cast<std::byte*>(data), bytes);
}

PrivateMemory::PrivateMemory(PrivateMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

PrivateMemory& PrivateMemory::operator=(PrivateMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

PrivateMemory::~PrivateMemory() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

Result<SegmentReader> SegmentReader::open(const std::string& name) {
  auto segment = platform::SharedSegment::open_existing(name, platform::Access::read_only);
  if (!segment) return tl::unexpected(segment.error());
  SegmentReader reader;
  reader.name_ = name;
  reader.bytes_ = segment->bytes();
  reader.segment_.emplace(std::move(*segment));
  return reader;
}

Result<SegmentReader> SegmentReader::over(platform::UniqueFd fd, std::string name) {
  const auto status = platform::segment_status(fd.get());
  if (!status) return tl::unexpected(status.error());
  SegmentReader reader;
  reader.name_ = std::move(name);
  reader.bytes_ = status->size_bytes;
  reader.fd_ = std::move(fd);
  return reader;
}

Result<void> SegmentReader::read(std::uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t got = platform::retry_on_eintr(
        [&] { return ::pread(fd(), into.data(), into.size(), static_cast<off_t>(offset)); });
    if (got < 0) return platform::fail_errno("read", name_);
    if (got == 0) return fail(Errc::corrupt, "segment " + name_ + " is shorter than it should be");
    into = into.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

Result<PrivateMemory> SegmentReader::copy(std::uint64_t bytes) const {
  auto memory = PrivateMemory::make(bytes);
  if (!memory) return memory;
  for (std::uint64_t at = 0; at < bytes;) {
    const off_t data = ::lseek(fd(), static_cast<off_t>(at), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // nothing but a hole from here on
    if (data < 0) return platform::fail_errno("read", name_);
    const off_t hole = ::lseek(fd(), data, SEEK_HOLE);
    if (hole < 0) return platform::fail_errno("read", name_);
    const auto begin = static_cast<std::uint64_t>(data);
    const auto end = std::min(static_cast<std::uint64_t>(hole), bytes);
    if (begin >= end) break;
    auto done = read(begin, std::span(memory->data() + begin, end - begin));
    if (!done) return tl::unexpected(done.error());
    at = end;
  }
  return memory;
}

}  // namespace sessionblocks::ctl
