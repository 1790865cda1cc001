#include "platform/proc_file.hpp"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <charconv>

#include "platform/os_error.hpp"
#include "platform/unique_fd.hpp"

namespace sessionblocks::platform {

Result<std::string> read_proc_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("open", path);
  std::string text(4096, '\0');
  const ssize_t length = retry_on_eintr([&] { return ::read(fd.get(), text.data(), text.size()); });
  // A file of a process that has ended since it was opened answers so.
  if (length < 0) return tl::unexpected(os_error(errno == ESRCH ? ENOENT : errno, "read", path));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

// The name, field 2, may hold spaces and parentheses, so we begin behind the last one.
std::optional<std::string_view> stat_text(std::string_view line, int field) {
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  line.remove_prefix(name_end + 1);
  for (int passed = 2; passed < field; ++passed) {
    const std::size_t at = line.find(' ');
    if (at == std::string_view::npos) return std::nullopt;
    line.remove_prefix(at + 1);
  }
  return line.substr(0, line.find_first_of(" \n"));
}

std::optional<std::uint64_t> stat_field(std::string_view line, int field) {
  const auto text = stat_text(line, field);
  std::uint64_t number = 0;
  if (!text) return std::nullopt;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), number);
  if (parsed.ec != std::errc()) return std::nullopt;
  return number;
}

}  // namespace sessionblocks::platform
