#include "platform/os_error.hpp"

#include <string>
#include <system_error>

namespace sessionblocks::platform {

Errc errc_of_errno(int number) noexcept {
  switch (number) {
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
      return Errc::out_of_memory;
    case EACCES:
    case EPERM:
      return Errc::denied;
    case ENOENT:
      return Errc::not_found;
    case EEXIST:
      return Errc::exists;
    case EMFILE:
    case ENFILE:
    case EAGAIN:
      return Errc::too_many;
    case ENOSYS:
    case EOPNOTSUPP:
      return Errc::unsupported;
    case EINVAL:
      return Errc::invalid_argument;
    default:
      return Errc::io_error;
  }
}

Error os_error(int number, std::string_view what, std::string_view subject) {
  std::string context(what);
  if (!subject.empty()) context.append(" ").append(subject);
  context.append(": ").append(std::generic_category().message(number));
  return Error(errc_of_errno(number), std::move(context));
}

}  // namespace sessionblocks::platform
