// Waiting for one descriptor, and the few facts about this process that other layers ask for.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace sessionblocks::platform {

enum class Readiness : std::uint8_t { readable, writable };

// False: `until` passed first. Signals do not end the wait.
[[nodiscard]] bool wait_until_ready(int fd, Readiness wanted,
                                    std::chrono::steady_clock::time_point until) noexcept;

[[nodiscard]] std::uint32_t current_thread_id() noexcept;
[[nodiscard]] std::uint32_t effective_user_id() noexcept;
[[nodiscard]] bool path_exists(const std::string& path) noexcept;

}  // namespace sessionblocks::platform
