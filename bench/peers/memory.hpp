// What data takes in memory: the allocated blocks of files on tmpfs, or a process's resident set.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>

namespace sessionblocks::bench {

[[nodiscard]] std::uint64_t allocated_bytes_under(const std::filesystem::path& folder);
[[nodiscard]] std::uint64_t resident_bytes(pid_t pid);

}  // namespace sessionblocks::bench
