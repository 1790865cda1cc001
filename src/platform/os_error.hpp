// From errno to Error: the one place where the operating system's numbers become our codes.
#pragma once

#include <cerrno>
#include <sessionblocks/error.hpp>
#include <string_view>

namespace sessionblocks::platform {

// The code for an errno value: ENOMEM, ENOSPC and EDQUOT are out_of_memory; EACCES and EPERM
// denied; ENOENT not_found; EEXIST exists; EMFILE, ENFILE and EAGAIN (of clone) too_many; ENOSYS
// and EOPNOTSUPP unsupported; EINVAL invalid_argument; all else io_error.
[[nodiscard]] Errc errc_of_errno(int number) noexcept;

// An error whose context is "what subject: the system's own message".
[[nodiscard]] Error os_error(int number, std::string_view what, std::string_view subject = {});

// fail() for the errno of the call that has just failed.
[[nodiscard]] inline tl::unexpected<Error> fail_errno(std::string_view what,
                                                      std::string_view subject = {}) {
  return tl::unexpected<Error>(os_error(errno, what, subject));
}

// Calls until the answer is not EINTR. Not for close(), nor for calls with a relative time-out.
template <typename Call>
auto retry_on_eintr(Call&& call) noexcept(noexcept(call())) {
  auto answer = call();
  while (answer == -1 && errno == EINTR) answer = call();
  return answer;
}

}  // namespace sessionblocks::platform
