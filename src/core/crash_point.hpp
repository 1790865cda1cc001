// Named places where a kill leaves something that recovery must know. Each is a row of
// src/segment/LAYOUT.md. In a build with SESSIONBLOCKS_CRASH_POINTS a test can make a process die
// by SIGKILL when it passes one; in every other build the macro is nothing.
#pragma once

#if defined(SESSIONBLOCKS_CRASH_POINTS)
namespace sessionblocks {
// Set in a test's child before the operation: called with the label of each point that is passed.
using CrashHook = void (*)(const char* label);
CrashHook& crash_hook() noexcept;
}  // namespace sessionblocks
#define SESSIONBLOCKS_CRASH(label)                  \
  do {                                              \
    if (::sessionblocks::crash_hook() != nullptr) { \
      ::sessionblocks::crash_hook()(label);         \
    }                                               \
  } while (false)
#else
#define SESSIONBLOCKS_CRASH(label) \
  do {                             \
  } while (false)
#endif
