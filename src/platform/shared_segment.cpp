#include "platform/shared_segment.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/interprocess/shared_memory_object.hpp>
#include <limits>
#include <utility>

#include "platform/boost_error.hpp"
#include "platform/os_error.hpp"

namespace sessionblocks::platform {
namespace {

namespace ipc = boost::interprocess;

constexpr mode_t kMode = 0600;
constexpr const char* kFolder = "/dev/shm";
// fallocate gives up, and gives everything back, when a signal arrives: steps make progress.
constexpr std::uint64_t kReserveStepBytes = std::uint64_t{16} << 20;
constexpr auto kMaxBytes = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());

Result<void> check_name(const std::string& name) {
  if (name.empty() || name.size() > 255 || name.front() == '.' ||
      name.find('/') != std::string::npos || name.find('\0') != std::string::npos) {
    return fail(Errc::invalid_argument, "segment name \"" + name + "\": must be a plain file name");
  }
  return {};
}

}  // namespace

Result<SegmentStatus> segment_status(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fail_errno("fstat of a segment");
  return SegmentStatus{.size_bytes = static_cast<std::uint64_t>(status.st_size),
                       .allocated_bytes = static_cast<std::uint64_t>(status.st_blocks) * 512,
                       .links = status.st_nlink,
                       .owner = status.st_uid};
}

SharedSegment::SharedSegment(SharedSegment&&) noexcept = default;
SharedSegment& SharedSegment::operator=(SharedSegment&&) noexcept = default;
SharedSegment::~SharedSegment() = default;
SharedSegment::SharedSegment(std::unique_ptr<Object> object, std::string name,
                             std::uint64_t bytes) noexcept
    : object_(std::move(object)), name_(std::move(name)), bytes_(bytes) {}

Result<SharedSegment> SharedSegment::create(const std::string& name, std::uint64_t bytes) {
  if (auto checked = check_name(name); !checked) return tl::unexpected(checked.error());
  if (bytes == 0 || bytes > kMaxBytes) {
    return fail(Errc::invalid_argument, "create segment " + name + ": impossible size");
  }
  auto object = catching_boost(
      "create segment", name, [&]() -> Result<std::unique_ptr<ipc::shared_memory_object>> {
        return std::make_unique<ipc::shared_memory_object>(
            ipc::create_only, name.c_str(), ipc::read_write, ipc::permissions(kMode));
      });
  if (!object) return tl::unexpected(object.error());
  auto sized = catching_boost("size segment", name, [&]() -> Result<void> {
    (*object)->truncate(static_cast<ipc::offset_t>(bytes));
    return {};
  });
  if (!sized) {
    ipc::shared_memory_object::remove(name.c_str());
    return tl::unexpected(sized.error());
  }
  return SharedSegment(std::move(*object), name, bytes);
}

Result<SharedSegment> SharedSegment::open_existing(const std::string& name, Access access) {
  if (auto checked = check_name(name); !checked) return tl::unexpected(checked.error());
  return catching_boost("open segment", name, [&]() -> Result<SharedSegment> {
    const auto mode = access == Access::read_write ? ipc::read_write : ipc::read_only;
    auto object = std::make_unique<ipc::shared_memory_object>(ipc::open_only, name.c_str(), mode);
    auto status = segment_status(object->get_mapping_handle().handle);
    if (!status) return tl::unexpected(status.error());
    return SharedSegment(std::move(object), name, status->size_bytes);
  });
}

Result<SharedSegment> SharedSegment::adopt(const std::string& name) {
  auto segment = open_existing(name, Access::read_write);
  if (!segment) return segment;
  struct stat status {};
  if (::fstat(segment->fd(), &status) != 0) return fail_errno("adopt segment", name);
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid()) {
    return fail(Errc::denied, "adopt segment " + name + ": not a file of this user");
  }
  if ((status.st_mode & 07777) != kMode && !segment->restore_mode()) {
    return fail_errno("restore the mode of segment", name);
  }
  return segment;
}

Result<void> SharedSegment::unlink(const std::string& name) {
  if (auto checked = check_name(name); !checked) return checked;
  // shared_memory_object::remove would not say why it failed.
  if (::shm_unlink(("/" + name).c_str()) != 0) return fail_errno("remove segment", name);
  return {};
}

Result<std::vector<std::string>> SharedSegment::list(std::string_view prefix) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(kFolder), ::closedir);
  if (!folder) return fail_errno("list", kFolder);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name(entry->d_name);
    if (name.substr(0, prefix.size()) == prefix && name.front() != '.') names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> SharedSegment::reserve(std::uint64_t offset, std::uint64_t bytes) const {
  if (offset > bytes_ || bytes > bytes_ - offset) {
    return fail(Errc::invalid_argument, "reserve in segment " + name_ + ": outside of it");
  }
  const std::uint64_t end = offset + bytes;
  while (offset < end) {
    const std::uint64_t step = std::min(end - offset, kReserveStepBytes);
    const int answer = retry_on_eintr([&] {
      return ::fallocate(fd(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                         static_cast<off_t>(step));
    });
    if (answer != 0) return fail_errno("reserve memory for segment", name_);
    offset += step;
  }
  return {};
}

Result<void> SharedSegment::discard() const {
  const int answer = retry_on_eintr([&] {
    return ::fallocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                       static_cast<off_t>(bytes_));
  });
  if (answer != 0) return fail_errno("give back the memory of segment", name_);
  return {};
}

std::uint64_t SharedSegment::cut_back() const noexcept {
  struct stat status {};
  if (::fstat(fd(), &status) != 0) return 0;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size <= bytes_ || ::ftruncate(fd(), static_cast<off_t>(bytes_)) != 0) return 0;
  return size - bytes_;
}

bool SharedSegment::restore_mode() const noexcept {
  return ::fchmod(fd(), kMode) == 0;
}

bool SharedSegment::has_own_mode() const noexcept {
  struct stat status {};
  if (::fstat(fd(), &status) != 0) return true;
  return (status.st_mode & 07777) == kMode && status.st_uid == ::geteuid();
}

Result<Mapping> SharedSegment::map(Access access) const {
  return Mapping::from_fd(fd(), bytes_, access);
}

int SharedSegment::fd() const noexcept {
  return object_->get_mapping_handle().handle;
}

}  // namespace sessionblocks::platform
