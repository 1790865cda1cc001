#include "core/crash_point.hpp"

#if defined(SESSIONBLOCKS_CRASH_POINTS)
namespace sessionblocks {
CrashHook& crash_hook() noexcept {
  static CrashHook hook = nullptr;
  return hook;
}
}  // namespace sessionblocks
#endif
