#include "platform/core_dump.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>

#include "platform/unique_fd.hpp"

namespace sessionblocks::platform {
namespace {

constexpr const char* kFilter = "/proc/self/coredump_filter";  // core(5); children inherit it

char before[16];
std::size_t before_bytes = 0;  // 0: it was not changed

bool set_filter(const char* text, std::size_t bytes) noexcept {
  const int fd = ::open(kFilter, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool is_set = ::write(fd, text, bytes) == static_cast<ssize_t>(bytes);
  ::close(fd);
  return is_set;
}

}  // namespace

bool leave_memory_out_of_core_dumps() noexcept {
  char text[sizeof before - 2];
  const UniqueFd fd(::open(kFilter, O_RDONLY | O_CLOEXEC));
  if (!fd) return false;
  const ssize_t length = ::read(fd.get(), text, sizeof text);
  if (length <= 0 || !set_filter("0", 1)) return false;
  // Read as hexadecimal, and taken only so when it says that it is.
  before[0] = '0';
  before[1] = 'x';
  for (ssize_t i = 0; i < length; ++i) before[i + 2] = text[i];
  before_bytes = static_cast<std::size_t>(length) + 2;
  return true;
}

void restore_core_dumps() noexcept {
  if (before_bytes != 0) static_cast<void>(set_filter(before, before_bytes));
}

}  // namespace sessionblocks::platform
