// A pattern as shells have it: * stands for any bytes or none, ? for one character.
//
// Our own, because fnmatch() stops at a NUL and follows the locale, and keys are any bytes.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace sessionblocks::flowlog {

class Glob {
 public:
  void add_literal(char c) { items_.push_back(static_cast<unsigned char>(c)); }
  // With * and ? as what they stand for.
  void add(std::string_view text);
  // A ? is a whole UTF-8 character, or one byte of what is none. Takes at most the product of both
  // lengths in steps.
  [[nodiscard]] bool matches(std::string_view text) const noexcept;

 private:
  static constexpr std::uint16_t kAnyOne = 0x100;
  static constexpr std::uint16_t kAnyRun = 0x101;
  std::vector<std::uint16_t> items_;  // bytes, and the two above
};

}  // namespace sessionblocks::flowlog
