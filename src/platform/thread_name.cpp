#include "platform/thread_name.hpp"

#include <sys/prctl.h>

namespace sessionblocks::platform {

void name_this_thread(const char* name) noexcept {
  ::prctl(PR_SET_NAME, name);
}

}  // namespace sessionblocks::platform
