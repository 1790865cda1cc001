// Bytes as text that a terminal or a JSON parser can take.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sessionblocks::flowlog {

// Bytes of the UTF-8 character at the start of `bytes`; 0: there is none. Overlong forms,
// surrogates and what lies above U+10FFFF are none.
[[nodiscard]] std::size_t utf8_size(std::string_view bytes) noexcept;
[[nodiscard]] bool is_utf8(std::string_view bytes) noexcept;
// With quotes. Precondition: UTF-8.
[[nodiscard]] std::string json_text(std::string_view text);
[[nodiscard]] std::string base64(std::string_view bytes);
// Printable ASCII and UTF-8 stay; all else becomes \xNN, a backslash \\.
[[nodiscard]] std::string escaped(std::string_view bytes);
// 2026-11-22T09:05:28.123Z; a number of ms when the year has not four digits.
[[nodiscard]] std::string utc_text(std::int64_t unix_ms);

}  // namespace sessionblocks::flowlog
