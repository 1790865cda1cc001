#include "platform/membarrier.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/os_error.hpp"

namespace sessionblocks::platform {
namespace {

int membarrier(int command) noexcept {
  return static_cast<int>(::syscall(SYS_membarrier, command, 0, 0));
}

}  // namespace

Result<void> register_for_membarrier() {
  if (membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0) return {};
  return fail(Errc::unsupported, "membarrier: this kernel has no GLOBAL_EXPEDITED");
}

Result<void> membarrier_everywhere() {
  if (membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) == 0) return {};
  if (membarrier(MEMBARRIER_CMD_GLOBAL) == 0) return {};
  return fail(Errc::unsupported, "membarrier: this kernel has neither form of the global barrier");
}

}  // namespace sessionblocks::platform
