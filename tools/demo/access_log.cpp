#include "access_log.hpp"

#include <array>
#include <charconv>
#include <chrono>

namespace demo {
namespace {

// Consumes a line from the left. Every function leaves the cursor where it was asked to stop and
// answers false when the line does not continue as expected.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }

  bool skip(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }

  // A run of bytes that are not a space, at least one.
  bool word(std::string_view& out) {
    const std::size_t length = rest_.find(' ');
    if (length == 0 || length == std::string_view::npos) return false;
    out = take(length);
    return true;
  }

  // A quoted field; `out` is what is between the quotes, escapes untouched.
  bool quoted(std::string_view& out) {
    if (!skip("\"")) return false;
    for (std::size_t at = 0; at < rest_.size(); ++at) {
      if (rest_[at] == '\\') {
        ++at;
      } else if (rest_[at] == '"') {
        out = take(at);
        return skip("\"");
      }
    }
    return false;
  }

  // Exactly `digits` decimal digits.
  bool number(std::size_t digits, int& out) {
    if (rest_.size() < digits) return false;
    const std::string_view text = take(digits);
    out = 0;
    for (const char digit : text) {
      if (digit < '0' || digit > '9') return false;
      out = out * 10 + (digit - '0');
    }
    return true;
  }

  std::string_view take(std::size_t length) {
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view rest_;
};

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

bool read_month(Cursor& cursor, unsigned& month) {
  const std::string_view name = cursor.take(3);
  for (unsigned index = 0; index < kMonths.size(); ++index) {
    if (name == kMonths[index]) {
      month = index + 1;
      return true;
    }
  }
  return false;
}

bool read_date(Cursor& cursor, std::int64_t& seconds) {
  int day = 0;
  int year = 0;
  unsigned month = 0;
  if (!cursor.number(2, day) || !cursor.skip("/") || !read_month(cursor, month) ||
      !cursor.skip("/") || !cursor.number(4, year) || year < 1970) {
    return false;
  }
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{month},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return false;
  seconds = std::chrono::sys_days{date}.time_since_epoch().count() * std::int64_t{86'400};
  return true;
}

bool read_zone(Cursor& cursor, std::int64_t& offset_s) {
  const std::string_view sign = cursor.take(1);
  int hours = 0;
  int minutes = 0;
  if ((sign != "+" && sign != "-") || !cursor.number(2, hours) || !cursor.number(2, minutes)) {
    return false;
  }
  if (hours > 23 || minutes > 59) return false;
  offset_s = (hours * 60 + minutes) * (sign == "-" ? -60 : 60);
  return true;
}

bool read_time(Cursor& cursor, std::int64_t& time_s) {
  std::int64_t date_s = 0;
  std::int64_t offset_s = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (!cursor.skip("[") || !read_date(cursor, date_s) || !cursor.skip(":") ||
      !cursor.number(2, hour) || !cursor.skip(":") || !cursor.number(2, minute) ||
      !cursor.skip(":") || !cursor.number(2, second) || !cursor.skip(" ") ||
      !read_zone(cursor, offset_s) || !cursor.skip("]")) {
    return false;
  }
  if (hour > 23 || minute > 59 || second > 59) return false;
  time_s = date_s + hour * 3'600 + minute * 60 + second - offset_s;
  return true;
}

bool is_method(std::string_view word) {
  for (const char letter : word) {
    const bool ok = (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z') ||
                    letter == '-' || letter == '_';
    if (!ok) return false;
  }
  return true;
}

// METHOD SP target [SP HTTP/version]; the oldest clients send no version.
bool read_page(std::string_view request, std::string_view& page) {
  Cursor cursor(request);
  std::string_view method;
  if (!cursor.word(method) || !is_method(method) || !cursor.skip(" ")) return false;
  std::string_view target;
  if (cursor.word(target)) {
    if (!cursor.skip(" HTTP/")) return false;
    const std::string_view version = cursor.take(request.size());
    if (version.empty() || version.find(' ') != std::string_view::npos) return false;
  } else {
    target = cursor.take(request.size());
    if (target.empty() || target.front() == ' ') return false;
  }
  page = target.substr(0, target.find('?'));
  return true;
}

bool read_bytes(std::string_view word, std::uint64_t& bytes) {
  if (word == "-") {
    bytes = 0;
    return true;
  }
  if (word.size() > kMostByteDigits) return false;
  const char* const end = word.data() + word.size();
  const auto [stop, problem] = std::from_chars(word.data(), end, bytes);
  return problem == std::errc{} && stop == end;
}

}  // namespace

std::optional<AccessLine> parse_access_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  Cursor cursor(line);
  AccessLine parsed;
  std::string_view ignored;
  std::string_view request;
  std::string_view bytes;
  int status = 0;
  if (!cursor.word(parsed.client) || parsed.client.size() > kLongestClient || !cursor.skip(" ") ||
      !cursor.word(ignored) || !cursor.skip(" ") || !cursor.word(ignored) || !cursor.skip(" ") ||
      !read_time(cursor, parsed.time_s) || !cursor.skip(" ") || !cursor.quoted(request) ||
      !read_page(request, parsed.page) || !cursor.skip(" ") || !cursor.number(3, status) ||
      status < 100 || !cursor.skip(" ") || !cursor.word(bytes) ||
      !read_bytes(bytes, parsed.bytes) || !cursor.skip(" ") || !cursor.quoted(ignored) ||
      !cursor.skip(" ") || !cursor.quoted(ignored) || !cursor.at_end()) {
    return std::nullopt;
  }
  parsed.status = static_cast<unsigned>(status);
  return parsed;
}

std::string_view client_of(std::string_view line) {
  return line.substr(0, line.find(' '));
}

std::string_view take_line(std::string_view& text) {
  const std::size_t newline = text.find('\n');
  const std::string_view line = text.substr(0, newline);
  text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
  return line;
}

}  // namespace demo
