// How close a process is to its limit of descriptors (RLIMIT_NOFILE).
//
// A server keeps its last descriptors for what comes and goes: to open what it passes on, to look
// into /proc, to tell a client that there is no room. So it refuses what stays before the table is
// full. The kernel gives the lowest free number, which makes a number that it gave the measure.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <string>

namespace sessionblocks::platform {

inline constexpr std::uint64_t kSpareDescriptors = 16;

// UINT64_MAX: no limit.
[[nodiscard]] inline std::uint64_t descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
  return limit.rlim_cur;
}

// Whether `fd`, just made, is one of the last.
[[nodiscard]] inline bool is_spare_descriptor(int fd) noexcept {
  return static_cast<std::uint64_t>(fd) + kSpareDescriptors >= descriptor_limit();
}

[[nodiscard]] inline std::string no_descriptors_text() {
  return "too few descriptors: " + std::to_string(descriptor_limit()) +
         "; raise RLIMIT_NOFILE (ulimit -n)";
}

}  // namespace sessionblocks::platform
