// One comparison of an expression: a field, an operator and a value.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <sessionblocks/error.hpp>
#include <string>
#include <string_view>

#include "flowlog/glob.hpp"
#include "flowlog/log_reader.hpp"
#include "flowlog/query_words.hpp"

namespace sessionblocks::flowlog {

// Unknown is what an entry has nothing to say about; the order is that of Kleene's logic: `and`
// gives the lower one, `or` the higher one.
enum class Truth : std::uint8_t { no, unknown, yes };

enum class Field : std::uint8_t {
  block,
  scope,
  worker,
  key,
  op,
  outcome,
  size,
  version,
  time,
  what
};
enum class Comparison : std::uint8_t { equal, unequal, below, at_most, above, at_least, like };

// A value as it was typed: its bytes, and the pattern that ~ takes it for.
struct TypedValue {
  std::string text;
  Glob glob;
};

[[nodiscard]] std::optional<Field> field_of(std::string_view name) noexcept;
// Numbers and times have an order, names have patterns.
[[nodiscard]] bool takes(Field field, Comparison comparison) noexcept;
// The operators that it takes, for messages.
[[nodiscard]] std::string_view operators_of(Field field) noexcept;

class Condition {
 public:
  // invalid_argument: no value of this field; the context says what was expected. `now_unix_ms` is
  // what a duration such as 10m counts back from. Precondition: the field takes the comparison.
  [[nodiscard]] static Result<Condition> make(Field field, Comparison comparison, TypedValue value,
                                              std::int64_t now_unix_ms);

  // Unknown when the entry lacks the field, whatever the comparison.
  [[nodiscard]] Truth holds(const Entry& entry, const LogState& state) const;
  // Whether it asks for records of op define_key, by = or ~.
  [[nodiscard]] bool asks_for_definitions() const noexcept;

 private:
  [[nodiscard]] bool is_equal(const Entry& entry, const LogState& state) const;
  [[nodiscard]] bool is_ordered(std::uint64_t rank) const noexcept;

  Field field_ = Field::block;
  Comparison comparison_ = Comparison::equal;
  std::string text_;        // block, scope, key
  Glob glob_;               // ~
  Ops ops_ = 0;             // op
  std::uint64_t rank_ = 0;  // numbers as they are; times in their order; outcomes
};

}  // namespace sessionblocks::flowlog
