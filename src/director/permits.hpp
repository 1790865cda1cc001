// What holders may do with a block besides reading and writing, as BlockRow::permits keeps it.
//
// The suite file's `permit` says so for declared blocks. For a block that is made through the API
// its maker says so, within what answer_create lets it.
#pragma once

#include <cstdint>
#include <sessionblocks/error.hpp>
#include <string>
#include <vector>

namespace sessionblocks::director {

// Stored in control: append-only.
enum class Permit : std::uint32_t {
  share = 1,    // hand out references
  fork = 2,     // clone it
  persist = 4,  // snapshots, logged values
  elevate = 8,  // to a DataBlock
};

[[nodiscard]] constexpr bool has_permit(std::uint32_t permits, Permit permit) noexcept {
  return (permits & static_cast<std::uint32_t>(permit)) != 0;
}

[[nodiscard]] std::vector<std::string> permit_words(std::uint32_t permits);
// The bits of these words. invalid_argument: one that is none of the above.
[[nodiscard]] Result<std::uint32_t> permit_bits(const std::vector<std::string>& words);

}  // namespace sessionblocks::director
