#include "director/segment_file.hpp"

#include <fcntl.h>

#include "platform/descriptors.hpp"
#include "platform/os_error.hpp"

namespace sessionblocks::director {

using platform::Access;
using platform::OpenerThread;
using platform::SharedSegment;
using platform::UniqueFd;

Result<SegmentFile> SegmentFile::create(const std::string& name, std::uint64_t bytes, Naming naming,
                                        OpenerThread& opener) {
  auto segment = SharedSegment::create(name, bytes);
  if (!segment) return tl::unexpected(segment.error());
  const bool has_room = !platform::is_spare_descriptor(segment->fd());
  auto made = has_room
                  ? guarded(std::move(*segment))
                  : fail(Errc::too_many, "the director has " + platform::no_descriptors_text());
  if (!made) {
    static_cast<void>(SharedSegment::unlink(name));
    return made;
  }
  if (naming == Naming::named) return made;
  SegmentFile file(std::move(*made));
  auto read_only = opener.open(name, Access::read_only);
  auto read_write = opener.open(name, Access::read_write);
  file.unlink();
  if (!read_only) return tl::unexpected(read_only.error());
  if (!read_write) return tl::unexpected(read_write.error());
  file.read_only_ = std::move(*read_only);
  file.read_write_ = std::move(*read_write);
  return file;
}

Result<SegmentFile> SegmentFile::adopt(const std::string& name) {
  auto segment = SharedSegment::adopt(name);
  if (!segment) return tl::unexpected(segment.error());
  return guarded(std::move(*segment));
}

Result<SegmentFile> SegmentFile::guarded(SharedSegment segment) {
  auto mapping = segment.map(Access::read_write);
  if (!mapping) return tl::unexpected(mapping.error());
  SegmentFile file(std::move(segment), std::move(*mapping));
  file.lost_memory_ = std::make_unique<std::atomic<bool>>(false);
  auto guard = platform::BusGuard::watch(file.mapping_, *file.lost_memory_);
  if (!guard) return tl::unexpected(guard.error());
  file.guard_ = std::move(*guard);
  return file;
}

Result<UniqueFd> SegmentFile::descriptor(Access access, OpenerThread& opener) const {
  if (has_name_) {
    auto opened = opener.open(segment_.name(), access);
    if (opened || !segment_.restore_mode()) return opened;
    return opener.open(segment_.name(), access);
  }
  const UniqueFd& kept = access == Access::read_write ? read_write_ : read_only_;
  if (!kept) return fail(Errc::gone, "segment " + segment_.name() + ": its name was removed");
  UniqueFd copy(::fcntl(kept.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return platform::fail_errno("copy a descriptor of", segment_.name());
  return copy;
}

void SegmentFile::unlink() noexcept {
  if (!has_name_) return;
  has_name_ = false;
  // Absent already: a repeated transition. Any other refusal is found by the next sweep.
  static_cast<void>(SharedSegment::unlink(segment_.name()));
}

}  // namespace sessionblocks::director
