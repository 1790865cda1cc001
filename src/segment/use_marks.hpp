// When keys were last read, in a block that evicts what was not used for longest: one mark for all
// keys whose hash falls on it, in the readers segment, so that who may only read leaves one too.
#pragma once

#include "layout/readers.hpp"

namespace sessionblocks::segment {

[[nodiscard]] constexpr std::uint64_t use_mark_of(std::uint64_t hash) noexcept {
  return (hash >> 16U) % layout::kUseMarks;
}

// Stores only what is not there yet: the mark of a hot key is read by all and written now and then.
inline void mark_use(layout::ReadersSegment& readers, std::uint64_t hash,
                     std::uint64_t now_ms) noexcept {
  auto& mark = readers.used[use_mark_of(hash)];
  const auto tick = static_cast<std::uint16_t>(now_ms >> layout::kUseTickShift);
  if (mark.load(std::memory_order_relaxed) != tick) mark.store(tick, std::memory_order_relaxed);
}

// The end of the tick of the last read; 0: never. A mark that is hours old may look young, as ticks
// wrap: its keys are spared for a while.
[[nodiscard]] inline std::uint64_t last_read_ms(const layout::ReadersSegment& readers,
                                                std::uint64_t hash, std::uint64_t now_ms) noexcept {
  const std::uint16_t mark = readers.used[use_mark_of(hash)].load(std::memory_order_relaxed);
  if (mark == 0) return 0;
  const std::uint64_t now = now_ms >> layout::kUseTickShift;
  const auto ticks_ago = static_cast<std::uint16_t>(now - mark);
  return ticks_ago > now ? 0 : (now - ticks_ago + 1) << layout::kUseTickShift;
}

}  // namespace sessionblocks::segment
