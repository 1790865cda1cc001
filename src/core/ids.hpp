// Strong identifiers. An index, a count, a size and an offset never convert into one another.
#pragma once

#include <cstdint>
#include <type_traits>

namespace sessionblocks {

enum class BlockId : std::uint32_t {};     // never reused within a session system; 0: none
enum class Generation : std::uint32_t {};  // 24 bits; the first is 1
enum class ScopeId : std::uint32_t {};     // never reused; 0: none
enum class WorkerId : std::uint32_t {};    // 24 bits, never reused; 0: none
enum class Offset : std::uint64_t {};      // bytes from the start of a segment
enum class PageIndex : std::uint32_t {};   // which heap page of a block

template <typename Enum>
[[nodiscard]] constexpr auto raw(Enum value) noexcept {
  return static_cast<std::underlying_type_t<Enum>>(value);
}

// A lane of a worker as an owner of heap pages: worker 24 bits, lane 8 bits. 0 owns nothing.
enum class OwnerId : std::uint32_t {};

[[nodiscard]] constexpr OwnerId owner_of(WorkerId worker, unsigned lane) noexcept {
  return static_cast<OwnerId>((raw(worker) << 8U) | (lane & 0xFFU));
}
[[nodiscard]] constexpr WorkerId worker_of(OwnerId owner) noexcept {
  return static_cast<WorkerId>(raw(owner) >> 8U);
}

}  // namespace sessionblocks
