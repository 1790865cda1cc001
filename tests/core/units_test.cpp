#include "core/units.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace sessionblocks;
using namespace sessionblocks::units;

TEST_CASE("sizes are whole numbers with a binary unit") {
  const std::vector<std::pair<std::string, std::uint64_t>> cases = {
      {"0B", 0},           {"1B", 1},
      {"64MiB", 67108864}, {"1GiB", 1073741824},
      {"3KiB", 3072},      {"2TiB", 2199023255552},
      {"007KiB", 7168},    {"9223372036854775807B", 9223372036854775807U}};
  for (const auto& [text, bytes] : cases) {
    CAPTURE(text);
    REQUIRE(parse_size(text).has_value());
    CHECK(*parse_size(text) == bytes);
  }
}

TEST_CASE("durations are whole numbers with a unit of time") {
  const std::vector<std::pair<std::string, std::uint64_t>> cases = {
      {"500ms", 500}, {"10s", 10'000}, {"30m", 1'800'000}, {"2h", 7'200'000}, {"7d", 604'800'000}};
  for (const auto& [text, ms] : cases) {
    CAPTURE(text);
    REQUIRE(parse_duration_ms(text).has_value());
    CHECK(*parse_duration_ms(text) == ms);
  }
}

TEST_CASE("anything else is malformed and the message shows how to write it") {
  for (const std::string text : {"", "64", "MiB", "64MB", "64mib", "64 MiB", " 64MiB", "64MiB ",
                                 "-1B", "+1B", "1.5GiB", "0x10B", "1e3B", "64M", "1GiB1B"}) {
    CAPTURE(text);
    const auto size = parse_size(text);
    REQUIRE_FALSE(size.has_value());
    CHECK(size.error() == Errc::malformed);
    CHECK(size.error().context().find("\"64MiB\"") != std::string::npos);
  }
  for (const std::string text : {"", "30", "m", "30min", "1h30m", "-5s", "1.5s", "5 s", "5S"}) {
    CAPTURE(text);
    const auto duration = parse_duration_ms(text);
    REQUIRE_FALSE(duration.has_value());
    CHECK(duration.error() == Errc::malformed);
    CHECK(duration.error().context().find("\"30m\"") != std::string::npos);
  }
}

TEST_CASE("a value past the limit is an overflow, never a wrapped number") {
  for (const std::string text : {"9223372036854775808B", "8388608TiB", "18446744073709551616B",
                                 "99999999999999999999999999TiB", "16777217TiB"}) {
    CAPTURE(text);
    REQUIRE_FALSE(parse_size(text).has_value());
    CHECK(parse_size(text).error() == Errc::overflow);
  }
  CHECK(*parse_size("8388607TiB") == 8388607ULL << 40U);
  CHECK(*parse_duration_ms(std::to_string(kMaxDurationMs) + "ms") == kMaxDurationMs);
  for (const auto& text : {std::to_string(kMaxDurationMs + 1) + "ms", std::string("106752d"),
                           std::string("213503982335d")}) {
    CAPTURE(text);
    REQUIRE_FALSE(parse_duration_ms(text).has_value());
    CHECK(parse_duration_ms(text).error() == Errc::overflow);
  }
}

TEST_CASE("formatting takes the largest unit that loses nothing, and parses back") {
  CHECK(format_size(0) == "0B");
  CHECK(format_size(67108864) == "64MiB");
  CHECK(format_size(67108865) == "67108865B");
  CHECK(format_size(1536) == "1536B");
  CHECK(format_duration_ms(0) == "0ms");
  CHECK(format_duration_ms(1'800'000) == "30m");
  CHECK(format_duration_ms(90'000) == "90s");
  CHECK(format_duration_ms(86'400'000) == "1d");
  for (unsigned shift = 0; shift < 63; ++shift) {
    for (const std::uint64_t value : {(std::uint64_t{1} << shift), (std::uint64_t{3} << shift) / 2,
                                      (std::uint64_t{1} << shift) - 1}) {
      CAPTURE(value);
      CHECK(*parse_size(format_size(value)) == value);
      if (value <= kMaxDurationMs) {
        CHECK(*parse_duration_ms(format_duration_ms(value)) == value);
      }
    }
  }
}
