// Sizes and durations as people write them: "64MiB" is bytes, "30m" is milliseconds.
//
// A value is a whole number and a unit, with nothing between them: B, KiB, MiB, GiB, TiB for sizes;
// ms, s, m, h, d for durations. The unit is required, because a bare "30" has been read as seconds
// and as minutes by different people, and decimal units (MB) are refused for the same reason.
// Formatting uses the largest unit that divides the value, so parse(format(x)) == x.
//
// Does not: signs, fractions, white space, sums such as "1h30m". No OS calls, no shared memory.
// Errors: Errc::malformed for the syntax, Errc::overflow past kMaxSizeBytes or kMaxDurationMs; the
// context is a message for the author of the text.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace sessionblocks::units {

// Fits every signed 64-bit offset.
inline constexpr std::uint64_t kMaxSizeBytes = std::numeric_limits<std::int64_t>::max();
// About 292 years: in nanoseconds it still fits a signed 64-bit integer.
inline constexpr std::uint64_t kMaxDurationMs =
    std::numeric_limits<std::int64_t>::max() / 1'000'000;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first: formatting takes the first that divides.
inline constexpr std::array kSizeUnits = {
    Unit{"TiB", std::uint64_t{1} << 40U}, Unit{"GiB", std::uint64_t{1} << 30U},
    Unit{"MiB", std::uint64_t{1} << 20U}, Unit{"KiB", std::uint64_t{1} << 10U}, Unit{"B", 1}};
inline constexpr std::array kDurationUnits = {Unit{"d", 86'400'000}, Unit{"h", 3'600'000},
                                              Unit{"m", 60'000}, Unit{"s", 1'000}, Unit{"ms", 1}};

namespace detail {

// What a value looks like, for messages.
struct Quantity {
  std::span<const Unit> units;
  std::uint64_t max;
  std::string_view expected;
};

inline constexpr Quantity kSize{kSizeUnits, kMaxSizeBytes,
                                "a whole number with B, KiB, MiB, GiB or TiB, such as \"64MiB\""};
inline constexpr Quantity kDuration{kDurationUnits, kMaxDurationMs,
                                    "a whole number with ms, s, m, h or d, such as \"30m\""};

[[nodiscard]] inline Result<std::uint64_t> parse(std::string_view text, const Quantity& quantity) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc::invalid_argument) {
    return fail(Errc::malformed, "expected " + std::string(quantity.expected));
  }
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  for (const Unit& candidate : quantity.units) {
    if (candidate.name != unit) continue;
    if (error != std::errc{} || number > quantity.max / candidate.factor) {
      return fail(Errc::overflow, "too large; the most is " + std::to_string(quantity.max) +
                                      std::string(quantity.units.back().name));
    }
    return number * candidate.factor;
  }
  return fail(Errc::malformed, "expected " + std::string(quantity.expected));
}

[[nodiscard]] inline std::string format(std::uint64_t value, const Quantity& quantity) {
  for (const Unit& unit : quantity.units) {
    if (value != 0 && value % unit.factor == 0) {
      return std::to_string(value / unit.factor) + std::string(unit.name);
    }
  }
  return "0" + std::string(quantity.units.back().name);
}

}  // namespace detail

// "64MiB" to bytes.
[[nodiscard]] inline Result<std::uint64_t> parse_size(std::string_view text) {
  return detail::parse(text, detail::kSize);
}

// "30m" to milliseconds.
[[nodiscard]] inline Result<std::uint64_t> parse_duration_ms(std::string_view text) {
  return detail::parse(text, detail::kDuration);
}

[[nodiscard]] inline std::string format_size(std::uint64_t bytes) {
  return detail::format(bytes, detail::kSize);
}

[[nodiscard]] inline std::string format_duration_ms(std::uint64_t ms) {
  return detail::format(ms, detail::kDuration);
}

}  // namespace sessionblocks::units
