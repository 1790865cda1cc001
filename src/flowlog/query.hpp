// Picks entries of a log, and shows them: JSON lines or table rows, as text without a newline.
//
// Keys that are not UTF-8 are `key_base64` in JSON and escaped in tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "flowlog/log_reader.hpp"

namespace sessionblocks::flowlog {

// Every condition that is set must hold. Notes and gaps have no key, operation or outcome: asking
// for one of these leaves them out.
struct Query {
  std::string block;  // its name or "#id"; empty: any
  std::string scope;  // this scope and those below it; empty: any
  std::optional<std::uint32_t> worker;
  std::optional<std::string> key;
  std::optional<std::string> key_prefix;
  std::uint32_t ops = 0;                 // bit of each wanted Op; 0: any
  std::optional<std::uint16_t> outcome;  // Errc, 0 for ok
  std::optional<std::int64_t> from_unix_ms;
  std::optional<std::int64_t> to_unix_ms;  // not included
  bool definitions = false;                // define_key records too

  void add(Op op) noexcept { ops |= 1U << static_cast<unsigned>(op); }
};
inline constexpr std::uint32_t kReads = 1U << 2U | 1U << 3U | 1U << 4U | 1U << 14U;
inline constexpr std::uint32_t kWrites = 0x3FE0U | 1U << 16U;  // put to get_and_erase, evict

// `state` is the reader's, at this entry. Problems match every query.
[[nodiscard]] bool matches(const Query& query, const Entry& entry, const LogState& state);
// The next entry that matches; false: nothing more for now.
[[nodiscard]] Result<bool> next_match(LogReader& reader, const Query& query, Entry& entry);

[[nodiscard]] std::string json_line(const Entry& entry, const LogState& state);
[[nodiscard]] std::string table_head();
[[nodiscard]] std::string table_row(const Entry& entry, const LogState& state);

}  // namespace sessionblocks::flowlog
