// What a rule asks for, in the language that `sessionctl log` has too:
//
//   block.leaking > 5m && block.fill > 25%
//
//   expression  = conjunction { "||" conjunction }
//   conjunction = operand { "&&" operand }
//   operand     = "!" operand | "(" expression ")" | metric comparison value
//   comparison  = "<" | "<=" | ">" | ">=" | "=" | "==" | "!="
//   value       = a number; with a metric of bytes 4MiB; of time 10m; a share also 25%
//
// All metrics of a condition are of one kind: block, worker or scope (metrics.hpp). Length and
// depth are bounded: any text is answered.
#pragma once

#include <cstdint>
#include <sessionblocks/error.hpp>
#include <string_view>
#include <vector>

#include "flowguard/metrics.hpp"

namespace sessionblocks::flowguard {

class Condition {
 public:
  static constexpr std::size_t kMaxBytes = 1'024;
  static constexpr unsigned kMaxDepth = 32;  // of ! and parentheses in each other

  // invalid_argument: the context names the column, and what was expected there.
  [[nodiscard]] static Result<Condition> parse(std::string_view text);

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  [[nodiscard]] bool holds(const Measures& measures) const;
  // The metrics that it names, with their values now: "block.fill 31%, block.leaking 6m 12s".
  [[nodiscard]] std::string evidence(const Measures& measures) const;

 private:
  friend class ConditionBuilder;
  enum class Step : std::uint8_t { compare, negate, both, either };
  enum class Sign : std::uint8_t { below, at_most, above, at_least, equal, unequal };
  struct Comparison {
    Metric metric = Metric::fill;
    Sign sign = Sign::above;
    double value = 0;
    [[nodiscard]] bool holds(const Measures& measures) const noexcept;
  };

  Kind kind_ = Kind::block;
  std::vector<Step> steps_;  // in postfix order
  std::vector<Comparison> comparisons_;
};

}  // namespace sessionblocks::flowguard
