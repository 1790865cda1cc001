// Picks entries of a log, and shows them: JSON lines or table rows, as text without a newline.
//
// Keys that are not UTF-8 are `key_base64` in JSON and escaped in tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "flowlog/expression.hpp"
#include "flowlog/log_reader.hpp"
#include "flowlog/query_words.hpp"

namespace sessionblocks::flowlog {

// Every condition that is set must hold. Notes and gaps have no key, operation or outcome: asking
// for one of these leaves them out. Records of op define_key come when ops or the expression ask
// for them.
struct Query {
  std::string block;  // its name or "#id"; empty: any
  std::string scope;  // this scope and those below it; empty: any
  std::optional<std::uint32_t> worker;
  std::optional<std::string> key;
  std::optional<std::string> key_prefix;
  Ops ops = 0;                           // 0: any
  std::optional<std::uint16_t> outcome;  // Errc, 0 for ok
  std::optional<std::int64_t> from_unix_ms;
  std::optional<std::int64_t> to_unix_ms;  // not included
  std::optional<Expression> expression;
};

// `state` is the reader's, at this entry. Problems match every query, and so does what was removed
// unread.
[[nodiscard]] bool matches(const Query& query, const Entry& entry, const LogState& state);
// The next entry that matches; false: nothing more for now.
[[nodiscard]] Result<bool> next_match(LogReader& reader, const Query& query, Entry& entry);

[[nodiscard]] std::string json_line(const Entry& entry, const LogState& state);
[[nodiscard]] std::string table_head();
[[nodiscard]] std::string table_row(const Entry& entry, const LogState& state);

}  // namespace sessionblocks::flowlog
