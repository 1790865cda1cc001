#include "platform/mapping.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/interprocess/anonymous_shared_memory.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <utility>

#include "platform/boost_error.hpp"
#include "platform/os_error.hpp"

// Debian 11's headers lack them; the kernel is asked when they are used.
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace sessionblocks::platform {
namespace {

namespace ipc = boost::interprocess;

// What mapped_region asks of a file, for a descriptor that somebody else opened.
class BorrowedFd {
 public:
  explicit BorrowedFd(int fd) noexcept : handle_{fd, false} {}
  [[nodiscard]] ipc::mapping_handle_t get_mapping_handle() const noexcept { return handle_; }

 private:
  ipc::mapping_handle_t handle_;
};

Result<void> check_size(int fd, std::uint64_t bytes) {
  if (bytes == 0) return fail(Errc::invalid_argument, "map a segment: 0 bytes");
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fail_errno("map a segment: fstat");
  if (status.st_size < 0 || static_cast<std::uint64_t>(status.st_size) < bytes) {
    return fail(Errc::corrupt, "map a segment: it has " + std::to_string(status.st_size) +
                                   " bytes, expected " + std::to_string(bytes));
  }
  return {};
}

}  // namespace

Mapping::Mapping() noexcept = default;
Mapping::Mapping(Mapping&& other) noexcept
    : region_(std::move(other.region_)),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      access_(other.access_) {}
Mapping& Mapping::operator=(Mapping&& other) noexcept {
  region_ = std::move(other.region_);
  data_ = std::exchange(other.data_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  access_ = other.access_;
  return *this;
}
Mapping::~Mapping() = default;

Mapping::Mapping(std::unique_ptr<ipc::mapped_region> region, Access access) noexcept
    : region_(std::move(region)),
      data_(static_cast<std::byte*>(region_->get_address())),
      bytes_(region_->get_size()),
      access_(access) {}

Result<Mapping> Mapping::from_fd(int fd, std::uint64_t bytes, Access access) {
  if (auto checked = check_size(fd, bytes); !checked) return tl::unexpected(checked.error());
  return catching_boost("map a segment", {}, [&]() -> Result<Mapping> {
    const auto mode = access == Access::read_write ? ipc::read_write : ipc::read_only;
    auto region = std::make_unique<ipc::mapped_region>(BorrowedFd(fd), mode, 0, bytes);
    if (::madvise(region->get_address(), bytes, MADV_DONTFORK) != 0 ||
        ::madvise(region->get_address(), bytes, MADV_DONTDUMP) != 0) {
      return fail_errno("map a segment: madvise");
    }
    return Mapping(std::move(region), access);
  });
}

Result<Mapping> Mapping::anonymous(std::uint64_t bytes) {
  if (bytes == 0) return fail(Errc::invalid_argument, "map anonymous memory: 0 bytes");
  return catching_boost("map anonymous memory", {}, [&]() -> Result<Mapping> {
    auto region = std::make_unique<ipc::mapped_region>(ipc::anonymous_shared_memory(bytes));
    ::madvise(region->get_address(), bytes, MADV_DONTDUMP);
    return Mapping(std::move(region), Access::read_write);
  });
}

Result<void> Mapping::populate_write(std::uint64_t offset, std::uint64_t bytes) const {
  if (access_ != Access::read_write) return fail(Errc::read_only, "reserve through a mapping");
  return populate(offset, bytes, MADV_POPULATE_WRITE);
}

Result<void> Mapping::populate_read(std::uint64_t offset, std::uint64_t bytes) const {
  return populate(offset, bytes, MADV_POPULATE_READ);
}

Result<void> Mapping::populate(std::uint64_t offset, std::uint64_t bytes, int advice) const {
  if (offset > bytes_ || bytes > bytes_ - offset) {
    return fail(Errc::invalid_argument, "populate: outside the mapping");
  }
  if (bytes == 0) return {};
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t begin = offset / page * page;
  // madvise rounds the length up itself; the last page belongs to the mapping even if partly used.
  const std::uint64_t length = offset + bytes - begin;
  const int answer = retry_on_eintr([&] { return ::madvise(data_ + begin, length, advice); });
  if (answer == 0) return {};
  // EFAULT is what a store into a page that cannot be had would have raised as SIGBUS.
  if (errno == EFAULT || errno == ENOMEM)
    return fail(Errc::out_of_memory, "populate: no page left");
  if (errno == EINVAL) return fail(Errc::unsupported, "populate: MADV_POPULATE needs Linux 5.14");
  return fail_errno("populate: madvise");
}

}  // namespace sessionblocks::platform
