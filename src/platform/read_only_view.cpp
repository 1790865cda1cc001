#include "platform/read_only_view.hpp"

#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstring>

#include "platform/mounts.hpp"
#include "platform/os_error.hpp"

namespace sessionblocks::platform {
namespace {

// One byte and a descriptor.
struct Parcel {
  Parcel() {
    message.msg_iov = &content;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
  }
  char byte = 0;
  iovec content{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
};

bool send_descriptor(int socket, int fd) noexcept {
  Parcel parcel;
  cmsghdr* const header = CMSG_FIRSTHDR(&parcel.message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  return ::sendmsg(socket, &parcel.message, MSG_NOSIGNAL) == 1;
}

UniqueFd receive_descriptor(int socket) noexcept {
  Parcel parcel;
  const auto length =
      retry_on_eintr([&] { return ::recvmsg(socket, &parcel.message, MSG_CMSG_CLOEXEC); });
  const cmsghdr* const header = length == 1 ? CMSG_FIRSTHDR(&parcel.message) : nullptr;
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return UniqueFd();
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return UniqueFd(fd);
}

UniqueFd view_from_here(const char* folder) noexcept {
  UniqueFd copy(mounts::copy_tree(folder));
  if (copy && !mounts::make_tree_read_only(copy.get(), "")) copy.reset();
  return copy;
}

// Whoever makes a user namespace may mount in it: a child goes there, since a process with several
// threads cannot, and sends the view back. System calls only.
UniqueFd view_from_user_namespace(const char* folder) noexcept {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return UniqueFd();
  const UniqueFd receiving(ends[0]);
  UniqueFd sending(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ::_exit(1);
    const int view = mounts::copy_tree(folder);
    const bool sent =
        view >= 0 && mounts::make_tree_read_only(view, "") && send_descriptor(sending.get(), view);
    ::_exit(sent ? 0 : 1);
  }
  if (child < 0) return UniqueFd();
  sending.reset();
  UniqueFd view = receive_descriptor(receiving.get());
  retry_on_eintr([&] { return ::waitpid(child, nullptr, 0); });
  return view;
}

}  // namespace

UniqueFd open_read_only_view(const char* folder) noexcept {
  UniqueFd view = view_from_here(folder);
  return view ? std::move(view) : view_from_user_namespace(folder);
}

}  // namespace sessionblocks::platform
