// Which entries of a log somebody wants, in a small language:
//
//   op=write && key~"cart:*" && size>4096
//
//   expression  = conjunction { "||" conjunction }
//   conjunction = operand { "&&" operand }
//   operand     = "!" operand | "(" expression ")" | field operator value
//   field       = block | scope | worker | key | op | outcome | size | version | time
//   operator    = "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "~"
//   value       = a word without any of white space " ' ( ) ! & | < > = ~ \ , or "text", in which
//                 \" \\ \xNN stand for bytes, and \* \? for those that are no wildcards to ~
//
// A condition on what an entry lacks (a note has no key) is unknown, and so is its negation; an
// entry matches when the whole is true. Length and depth are bounded: any bytes are answered.
#pragma once

#include <cstdint>
#include <sessionblocks/error.hpp>
#include <string_view>
#include <vector>

#include "flowlog/condition.hpp"

namespace sessionblocks::flowlog {

class Expression {
 public:
  static constexpr std::size_t kMaxBytes = 4'096;
  static constexpr unsigned kMaxDepth = 64;  // of ! and parentheses in each other

  // invalid_argument: the context names the column and what was expected there, and shows the
  // expression above a line with a caret. `now_unix_ms` is what 10m counts back from.
  [[nodiscard]] static Result<Expression> parse(std::string_view text, std::int64_t now_unix_ms);

  [[nodiscard]] bool matches(const Entry& entry, const LogState& state) const;
  // Whether a condition asks for records of op define_key: unasked nobody wants them.
  [[nodiscard]] bool asks_for_definitions() const noexcept;

 private:
  friend class ExpressionBuilder;
  enum class Step : std::uint8_t { condition, negate, both, either };

  // In postfix order, so that nothing is deep: each step takes its operands from a stack.
  std::vector<Step> steps_;
  std::vector<Condition> conditions_;  // in the order of the steps that name them
};

}  // namespace sessionblocks::flowlog
