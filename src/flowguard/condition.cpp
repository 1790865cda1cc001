#include "flowguard/condition.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <tao/pegtl.hpp>

#include "core/units.hpp"

namespace sessionblocks::flowguard {

namespace peg = tao::pegtl;

// What the grammar's actions fill.
class ConditionBuilder {
 public:
  using Step = Condition::Step;
  using Sign = Condition::Sign;

  [[nodiscard]] bool enter() noexcept { return ++depth_ <= Condition::kMaxDepth; }
  void leave() noexcept { --depth_; }
  void add(Step step) { made_.steps_.push_back(step); }

  // A sentence: what is wrong with it; empty: nothing.
  [[nodiscard]] std::string set_metric(std::string_view name) {
    const auto metric = metric_of(name);
    if (!metric) return "no metric " + std::string(name) + nearest(name);
    const Kind kind = info(*metric).kind;
    if (kind_ && *kind_ != kind) {
      return "a rule is about one kind of thing: the others are of a " + std::string(word(*kind_));
    }
    kind_ = kind;
    under_way_.metric = *metric;
    return {};
  }
  void set_sign(std::string_view sign) noexcept {
    under_way_.sign = sign == "<"    ? Sign::below
                      : sign == "<=" ? Sign::at_most
                      : sign == ">"  ? Sign::above
                      : sign == ">=" ? Sign::at_least
                      : sign == "!=" ? Sign::unequal
                                     : Sign::equal;
  }
  [[nodiscard]] std::string set_value(std::string_view text);
  [[nodiscard]] Condition finish() {
    made_.kind_ = kind_.value_or(Kind::block);
    return std::move(made_);
  }

 private:
  static std::string nearest(std::string_view name);

  Condition made_;
  Condition::Comparison under_way_;
  std::optional<Kind> kind_;
  unsigned depth_ = 0;
};

namespace {

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::string ConditionBuilder::nearest(std::string_view name) {
  const auto dot = name.find('.');
  std::string known;
  for (const MetricInfo& one : metrics()) {
    if (dot == std::string_view::npos || one.name.substr(0, dot + 1) != name.substr(0, dot + 1)) {
      continue;
    }
    known.append(known.empty() ? "; there are " : ", ").append(one.name);
  }
  return known.empty() ? "; one begins with block., worker. or scope." : known;
}

std::string ConditionBuilder::set_value(std::string_view text) {
  std::optional<double> value;
  std::string expected = "a number";
  switch (info(under_way_.metric).unit) {
    case Unit::number:
      value = number_of(text);
      break;
    case Unit::share:
      expected = "a share, such as 25% or 0.25";
      value = text.ends_with('%') ? number_of(text.substr(0, text.size() - 1)) : number_of(text);
      if (value && text.ends_with('%')) *value /= 100;
      break;
    case Unit::bytes:
      expected = units::detail::kSize.expected;
      if (const auto bytes = units::parse_size(text)) value = static_cast<double>(*bytes);
      break;
    case Unit::ms:
      expected = units::detail::kDuration.expected;
      if (const auto ms = units::parse_duration_ms(text)) value = static_cast<double>(*ms);
      break;
  }
  if (!value) return "expected " + expected + " for " + std::string(info(under_way_.metric).name);
  under_way_.value = *value;
  made_.comparisons_.push_back(under_way_);
  add(Step::compare);
  return {};
}

namespace {

// The grammar, as the header has it. A rule that has a message (below) ends the parse when it
// fails, so nothing that an action did is ever taken back.
struct blank : peg::star<peg::space> {};
template <typename Rule>
struct token : peg::seq<Rule, blank> {};

struct metric : peg::plus<peg::sor<peg::lower, peg::one<'_', '.'>>> {};
struct sign : peg::sor<peg::string<'<', '='>, peg::string<'>', '='>, peg::string<'!', '='>,
                       peg::string<'=', '='>, peg::one<'<', '>', '='>> {};
struct value : peg::seq<peg::opt<peg::one<'-'>>, peg::digit,
                        peg::star<peg::sor<peg::alnum, peg::one<'.', '%'>>>> {};
struct comparison : peg::if_must<token<metric>, token<sign>, value> {};

struct disjunction;
struct operand;
struct negation_sign : peg::one<'!'> {};
struct negation : peg::if_must<token<negation_sign>, operand> {};
struct opening : peg::one<'('> {};
struct closing : peg::one<')'> {};
struct nested : peg::if_must<token<opening>, disjunction, closing> {};
struct operand : token<peg::sor<negation, nested, comparison>> {};
struct and_operand : peg::if_must<token<peg::two<'&'>>, operand> {};
struct conjunction : peg::seq<operand, peg::star<and_operand>> {};
struct or_operand : peg::if_must<token<peg::two<'|'>>, conjunction> {};
struct disjunction : peg::seq<conjunction, peg::star<or_operand>> {};
struct whole : peg::seq<blank, disjunction, peg::eof> {};

template <typename Rule>
inline constexpr const char* kMessage = nullptr;
template <>
inline constexpr auto kMessage<operand> = "expected a comparison such as block.fill > 25%, ! or (";
template <>
inline constexpr auto kMessage<token<sign>> = "expected an operator: <, <=, >, >=, = or !=";
template <>
inline constexpr auto kMessage<value> = "expected a value: a number, a size, a duration";
template <>
inline constexpr auto kMessage<closing> = "expected &&, || or the closing parenthesis";
template <>
inline constexpr auto kMessage<peg::eof> = "expected &&, || or the end";

struct Messages {
  template <typename Rule>
  static constexpr const char* message = kMessage<Rule>;
};
template <typename Rule>
using Control = peg::must_if<Messages, peg::normal, false>::control<Rule>;

template <typename Rule>
struct Action : peg::nothing<Rule> {};

template <>
struct Action<metric> {
  template <typename Input>
  static void apply(const Input& in, ConditionBuilder& builder) {
    const std::string wrong = builder.set_metric(in.string_view());
    if (!wrong.empty()) throw peg::parse_error(wrong, in);
  }
};
template <>
struct Action<sign> {
  template <typename Input>
  static void apply(const Input& in, ConditionBuilder& builder) {
    builder.set_sign(in.string_view());
  }
};
template <>
struct Action<value> {
  template <typename Input>
  static void apply(const Input& in, ConditionBuilder& builder) {
    const std::string wrong = builder.set_value(in.string_view());
    if (!wrong.empty()) throw peg::parse_error(wrong, in);
  }
};
struct Enter {
  template <typename Input>
  static void apply(const Input& in, ConditionBuilder& builder) {
    if (builder.enter()) return;
    throw peg::parse_error("too many ! and parentheses in each other: write it with fewer", in);
  }
};
template <>
struct Action<negation_sign> : Enter {};
template <>
struct Action<opening> : Enter {};
template <>
struct Action<negation> {
  static void apply0(ConditionBuilder& builder) {
    builder.leave();
    builder.add(ConditionBuilder::Step::negate);
  }
};
template <>
struct Action<closing> {
  static void apply0(ConditionBuilder& builder) { builder.leave(); }
};
template <>
struct Action<and_operand> {
  static void apply0(ConditionBuilder& builder) { builder.add(ConditionBuilder::Step::both); }
};
template <>
struct Action<or_operand> {
  static void apply0(ConditionBuilder& builder) { builder.add(ConditionBuilder::Step::either); }
};

}  // namespace

Result<Condition> Condition::parse(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return fail(Errc::invalid_argument,
                "a condition has at most " + std::to_string(kMaxBytes) + " bytes");
  }
  ConditionBuilder builder;
  peg::memory_input input(text.data(), text.size(), "");
  try {
    static_cast<void>(peg::parse<whole, Action, Control>(input, builder));
  } catch (const peg::parse_error& error) {
    const std::size_t at = std::min(error.positions().front().byte, text.size());
    return fail(Errc::invalid_argument,
                "column " + std::to_string(at + 1) + ": " + std::string(error.message()));
  }
  return builder.finish();
}

bool Condition::Comparison::holds(const Measures& measures) const noexcept {
  const double measured = measures[metric];
  switch (sign) {
    case Sign::below:
      return measured < value;
    case Sign::at_most:
      return measured <= value;
    case Sign::above:
      return measured > value;
    case Sign::at_least:
      return measured >= value;
    case Sign::equal:
      return measured == value;
    case Sign::unequal:
      return measured != value;
  }
  return false;
}

bool Condition::holds(const Measures& measures) const {
  // Each level has at most one operand of || and one of && waiting.
  std::array<bool, 2 * (kMaxDepth + 1) + 1> stack{};
  std::size_t used = 0;
  std::size_t next = 0;
  for (const Step step : steps_) {
    if (step == Step::compare) {
      stack.at(used++) = comparisons_[next++].holds(measures);
      continue;
    }
    bool& top = stack.at(used - 1);
    if (step == Step::negate) {
      top = !top;
      continue;
    }
    bool& below = stack.at(--used - 1);
    below = step == Step::both ? below && top : below || top;
  }
  return used == 1 && stack[0];
}

std::string Condition::evidence(const Measures& measures) const {
  std::string text;
  std::array<bool, kMetrics> is_said{};
  for (const Comparison& one : comparisons_) {
    bool& said = is_said.at(static_cast<std::size_t>(one.metric));
    if (std::exchange(said, true)) continue;
    text.append(text.empty() ? "" : ", ").append(info(one.metric).name).append(" ");
    text += text_of(one.metric, measures[one.metric]);
  }
  return text;
}

}  // namespace sessionblocks::flowguard
