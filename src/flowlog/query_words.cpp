#include "flowlog/query_words.hpp"

#include <ctime>
#include <sessionblocks/error.hpp>
#include <string>

#include "core/units.hpp"

namespace sessionblocks::flowlog {

namespace {

// ".123Z" is 123; nothing: not that.
std::optional<std::int64_t> milliseconds_of(std::string_view text) noexcept {
  if (text.size() != 5 || text[0] != '.' || text[4] != 'Z') return std::nullopt;
  std::int64_t number = 0;
  for (const char digit : text.substr(1, 3)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    number = number * 10 + (digit - '0');
  }
  return number;
}

}  // namespace

std::optional<Ops> ops_of(std::string_view name) noexcept {
  if (name == "read" || name == "reads") return kReads;
  if (name == "write" || name == "writes") return kWrites;
  for (unsigned number = 1; number <= static_cast<unsigned>(Op::evict); ++number) {
    const auto op = static_cast<Op>(number);
    if (word(op) == name) return bit_of(op);
  }
  return std::nullopt;
}

std::optional<std::uint16_t> outcome_of(std::string_view name) noexcept {
  if (name == "ok") return std::uint16_t{0};
  if (name == errc_name(static_cast<Errc>(UINT16_MAX))) return std::nullopt;  // "unknown"
  for (std::uint16_t number = 1; number < 256; ++number) {
    if (errc_name(static_cast<Errc>(number)) == name) return number;
  }
  return std::nullopt;
}

std::optional<std::int64_t> time_of(std::string_view text, std::int64_t now_unix_ms) {
  if (const auto ago = units::parse_duration_ms(text)) {
    return now_unix_ms - static_cast<std::int64_t>(*ago);
  }
  const std::string typed(text);
  for (const char* format : {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"}) {
    std::tm parts{};
    const char* const end = ::strptime(typed.c_str(), format, &parts);
    if (end == typed.c_str() + typed.size()) return std::int64_t{::timegm(&parts)} * 1'000;
  }
  std::tm parts{};
  const char* const end = ::strptime(typed.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (end == nullptr) return std::nullopt;
  const auto ms = milliseconds_of(text.substr(static_cast<std::size_t>(end - typed.c_str())));
  if (!ms) return std::nullopt;
  return std::int64_t{::timegm(&parts)} * 1'000 + *ms;
}

}  // namespace sessionblocks::flowlog
