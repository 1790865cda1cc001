// The last line against SIGBUS: a fault in a registered segment becomes a latched error.
//
// Nothing should ever fault (memory is reserved before use, files cannot be truncated). If a page
// is gone all the same, the handler puts a zeroed private page where it was, sets the `corrupt`
// latch of the range, and the interrupted load or store goes on. Whoever owns the mapping looks at
// the latch after each operation: what was read since is worth nothing.
// Any other SIGBUS goes to the handler that was there before, or has its default effect.
//
// Any thread may register; the handler touches only a fixed array (kMaxRanges) and calls mmap.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <sessionblocks/error.hpp>

#include "platform/mapping.hpp"

namespace sessionblocks::platform {

class BusGuard {
 public:
  static constexpr std::size_t kMaxRanges = 32'768;

  BusGuard() noexcept = default;
  BusGuard(BusGuard&& other) noexcept;
  BusGuard& operator=(BusGuard&& other) noexcept;
  ~BusGuard();

  // Guards the whole mapping until the guard ends; it must end before the mapping and the latch
  // do. The first call installs the process's handler. too_many: kMaxRanges are in use.
  [[nodiscard]] static Result<BusGuard> watch(const Mapping& mapping, std::atomic<bool>& corrupt);

 private:
  explicit BusGuard(std::size_t slot) noexcept : slot_(slot) {}
  void release() noexcept;

  static constexpr std::size_t kNone = kMaxRanges;
  std::size_t slot_ = kNone;
};

}  // namespace sessionblocks::platform
