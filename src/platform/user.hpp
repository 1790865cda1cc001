// The numbers behind a user's name, looked up before a program is started as that user.
#pragma once

#include <sys/types.h>

#include <sessionblocks/error.hpp>
#include <string>
#include <vector>

namespace sessionblocks::platform {

struct UserIds {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // all of the user's groups, gid among them
  std::string home;
};

// not_found: there is no such user. Reads the user database (perhaps over the network): at start,
// never in an event loop.
[[nodiscard]] Result<UserIds> find_user(const std::string& name);

}  // namespace sessionblocks::platform
