#include "platform/user.hpp"

#include <grp.h>
#include <pwd.h>

#include <array>

#include "platform/os_error.hpp"

namespace sessionblocks::platform {

Result<UserIds> find_user(const std::string& name) {
  std::vector<char> text(64 * 1024);
  passwd entry{};
  passwd* found = nullptr;
  const int number = ::getpwnam_r(name.c_str(), &entry, text.data(), text.size(), &found);
  if (number != 0) return tl::unexpected<Error>(os_error(number, "look up user", name));
  if (found == nullptr) return fail(Errc::not_found, "user " + name);
  UserIds ids{.uid = entry.pw_uid, .gid = entry.pw_gid, .groups = {}, .home = entry.pw_dir};
  int count = 64;
  ids.groups.resize(static_cast<std::size_t>(count));
  if (::getgrouplist(name.c_str(), ids.gid, ids.groups.data(), &count) < 0) {
    ids.groups.resize(static_cast<std::size_t>(count));  // now it says how many there are
    if (::getgrouplist(name.c_str(), ids.gid, ids.groups.data(), &count) < 0) {
      return fail(Errc::io_error, "look up the groups of user " + name);
    }
  }
  ids.groups.resize(static_cast<std::size_t>(count));
  return ids;
}

}  // namespace sessionblocks::platform
