// Random bytes from the kernel, fit for tokens and keys.
#pragma once

#include <sys/random.h>

#include <cstddef>
#include <cstdint>
#include <sessionblocks/error.hpp>
#include <span>

#include "platform/os_error.hpp"

namespace sessionblocks::platform {

// Fills `bytes`. Waits only before the kernel is seeded, early in boot.
[[nodiscard]] inline Result<void> random_bytes(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = retry_on_eintr([&] { return ::getrandom(bytes.data(), bytes.size(), 0); });
    if (got <= 0) return fail_errno("getrandom");
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

[[nodiscard]] inline Result<std::uint64_t> random_u64() {
  std::uint64_t value = 0;
  if (auto filled = random_bytes(std::as_writable_bytes(std::span(&value, 1))); !filled) {
    return tl::unexpected(filled.error());
  }
  return value;
}

}  // namespace sessionblocks::platform
