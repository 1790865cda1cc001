// Reads one line of a web access log in the combined format:
//
//   client ident user [day/Mon/year:hh:mm:ss +hhmm] "METHOD target HTTP/x" status bytes "referer"
//   "agent"
//
// Fields are separated by exactly one space. Inside quotes a backslash takes the next byte with it.
// A line that is anything else (cut, another format, a request without a target) is malformed: the
// caller counts it. No allocation; the views point into the line. Nothing here reads files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace demo {

inline constexpr std::size_t kLongestClient = 255;  // bytes; a longer client address is malformed
inline constexpr std::size_t kMostByteDigits = 12;  // so that no total of replies can overflow

struct AccessLine {
  std::string_view client;
  std::string_view page;    // the request's target without its query
  std::int64_t time_s = 0;  // seconds since 1970 UTC
  std::uint64_t bytes = 0;  // "-" is 0
  unsigned status = 0;      // 100 to 999
};

// Takes a line without its newline; one carriage return at the end is ignored.
// Returns nothing when the line is malformed.
[[nodiscard]] std::optional<AccessLine> parse_access_line(std::string_view line);

// Everything before the first space. It decides the partition of every line, malformed ones too,
// so that each line of the file belongs to exactly one partition.
[[nodiscard]] std::string_view client_of(std::string_view line);

// Cuts the first line off `text` (without its newline). The last line may lack the newline; the
// nothing after a final newline is not a line.
[[nodiscard]] std::string_view take_line(std::string_view& text);

}  // namespace demo
