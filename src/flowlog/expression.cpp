#include "flowlog/expression.hpp"

#include <algorithm>
#include <tao/pegtl.hpp>

#include "flowlog/text.hpp"

namespace sessionblocks::flowlog {

namespace peg = tao::pegtl;

// What the grammar's actions fill.
class ExpressionBuilder {
 public:
  explicit ExpressionBuilder(std::int64_t now_unix_ms) noexcept : now_unix_ms_(now_unix_ms) {}

  // False: too deep.
  [[nodiscard]] bool enter() noexcept { return ++depth_ <= Expression::kMaxDepth; }
  void leave() noexcept { --depth_; }
  void negate() { made_.steps_.push_back(Expression::Step::negate); }
  void both() { made_.steps_.push_back(Expression::Step::both); }
  void either() { made_.steps_.push_back(Expression::Step::either); }
  [[nodiscard]] Result<void> add_condition() {
    auto condition = Condition::make(field, comparison, std::exchange(value, {}), now_unix_ms_);
    if (!condition) return tl::unexpected(std::move(condition).error());
    made_.conditions_.push_back(std::move(*condition));
    made_.steps_.push_back(Expression::Step::condition);
    return {};
  }
  [[nodiscard]] Expression finish() { return std::move(made_); }

  // Of the condition under way.
  Field field = Field::block;
  Comparison comparison = Comparison::equal;
  TypedValue value;

 private:
  Expression made_;
  std::int64_t now_unix_ms_;
  unsigned depth_ = 0;
};

namespace {

// The grammar, as the header has it. A rule that has a message (below) ends the parse when it
// fails, so nothing that an action did is ever taken back.
struct blank : peg::star<peg::space> {};
template <typename Rule>
struct token : peg::seq<Rule, blank> {};

struct field : peg::plus<peg::sor<peg::lower, peg::one<'_'>>> {};
struct comparison_sign
    : peg::sor<peg::string<'<', '='>, peg::string<'>', '='>, peg::string<'!', '='>,
               peg::string<'=', '='>, peg::one<'<', '>', '=', '~'>> {};
struct word_end : peg::sor<peg::ranges<'\0', ' ', '\x7f'>,
                           peg::one<'"', '\'', '(', ')', '!', '&', '|', '<', '>', '=', '~', '\\'>> {
};
struct bare_word : peg::plus<peg::not_at<word_end>, peg::any> {};
struct plain_text : peg::plus<peg::not_one<'"', '\\'>> {};
struct escaped_byte : peg::one<'"', '\\', '*', '?'> {};
struct hex_digits : peg::rep<2, peg::xdigit> {};
struct hex_byte : peg::if_must<peg::one<'x'>, hex_digits> {};
struct escape : peg::sor<escaped_byte, hex_byte> {};
struct closing_quote : peg::one<'"'> {};
struct quoted : peg::if_must<peg::one<'"'>,
                             peg::star<peg::sor<plain_text, peg::if_must<peg::one<'\\'>, escape>>>,
                             closing_quote> {};
struct value : peg::sor<quoted, bare_word> {};
struct condition : peg::if_must<token<field>, token<comparison_sign>, value> {};

struct disjunction;
struct operand;
struct negation_sign : peg::one<'!'> {};
struct negation : peg::if_must<token<negation_sign>, operand> {};
struct opening : peg::one<'('> {};
struct closing : peg::one<')'> {};
struct nested : peg::if_must<token<opening>, disjunction, closing> {};
struct operand : token<peg::sor<negation, nested, condition>> {};
struct and_operand : peg::if_must<token<peg::two<'&'>>, operand> {};
struct conjunction : peg::seq<operand, peg::star<and_operand>> {};
struct or_operand : peg::if_must<token<peg::two<'|'>>, conjunction> {};
struct disjunction : peg::seq<conjunction, peg::star<or_operand>> {};
struct whole : peg::seq<blank, disjunction, peg::eof> {};

template <typename Rule>
inline constexpr const char* kMessage = nullptr;
template <>
inline constexpr auto kMessage<operand> = "expected a condition such as op=write, a ! or a (";
template <>
inline constexpr auto kMessage<token<comparison_sign>> =
    "expected an operator: =, !=, <, <=, >, >= or ~";
template <>
inline constexpr auto kMessage<value> = "expected a value: a word, or text in double quotes";
template <>
inline constexpr auto kMessage<escape> = R"(expected one of the escapes \" \\ \* \? \xNN)";
template <>
inline constexpr auto kMessage<hex_digits> = "expected two hexadecimal digits";
template <>
inline constexpr auto kMessage<closing_quote> = "expected the closing quote";
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
struct Action<field> {
  template <typename Input>
  static void apply(const Input& in, ExpressionBuilder& builder) {
    const auto known = field_of(in.string_view());
    if (!known) {
      throw peg::parse_error(
          "expected block, scope, worker, key, op, outcome, size, version, time or what", in);
    }
    builder.field = *known;
  }
};
template <>
struct Action<comparison_sign> {
  template <typename Input>
  static void apply(const Input& in, ExpressionBuilder& builder) {
    builder.comparison = comparison_of(in.string_view());
    if (takes(builder.field, builder.comparison)) return;
    throw peg::parse_error("expected " + std::string(operators_of(builder.field)), in);
  }
  static Comparison comparison_of(std::string_view sign) noexcept {
    if (sign == "!=") return Comparison::unequal;
    if (sign == "<") return Comparison::below;
    if (sign == "<=") return Comparison::at_most;
    if (sign == ">") return Comparison::above;
    if (sign == ">=") return Comparison::at_least;
    return sign == "~" ? Comparison::like : Comparison::equal;
  }
};

struct AddPlain {
  template <typename Input>
  static void apply(const Input& in, ExpressionBuilder& builder) {
    builder.value.text += in.string_view();
    builder.value.glob.add(in.string_view());
  }
};
template <>
struct Action<bare_word> : AddPlain {};
template <>
struct Action<plain_text> : AddPlain {};

void add_literal(TypedValue& value, char byte) {
  value.text += byte;
  value.glob.add_literal(byte);
}
template <>
struct Action<escaped_byte> {
  template <typename Input>
  static void apply(const Input& in, ExpressionBuilder& builder) {
    add_literal(builder.value, in.peek_char());
  }
};
template <>
struct Action<hex_digits> {
  template <typename Input>
  static void apply(const Input& in, ExpressionBuilder& builder) {
    const auto digit = [&](std::size_t at) {
      const char c = in.peek_char(at);
      return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    };
    add_literal(builder.value, static_cast<char>(digit(0) * 16 + digit(1)));
  }
};
template <>
struct Action<value> {
  template <typename Input>
  static void apply(const Input& in, ExpressionBuilder& builder) {
    const auto added = builder.add_condition();
    if (!added) throw peg::parse_error("expected " + added.error().context(), in);
  }
};

struct Enter {
  template <typename Input>
  static void apply(const Input& in, ExpressionBuilder& builder) {
    if (builder.enter()) return;
    throw peg::parse_error("more than " + std::to_string(Expression::kMaxDepth) +
                               " levels of ! and parentheses: write it with fewer",
                           in);
  }
};
template <>
struct Action<negation_sign> : Enter {};
template <>
struct Action<opening> : Enter {};
template <>
struct Action<negation> {
  static void apply0(ExpressionBuilder& builder) {
    builder.leave();
    builder.negate();
  }
};
template <>
struct Action<closing> {
  static void apply0(ExpressionBuilder& builder) { builder.leave(); }
};
template <>
struct Action<and_operand> {
  static void apply0(ExpressionBuilder& builder) { builder.both(); }
};
template <>
struct Action<or_operand> {
  static void apply0(ExpressionBuilder& builder) { builder.either(); }
};

// Backslashes stay as they are: doubled, they would not be what was typed.
std::string shown(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\\', at), text.size());
    out += escaped(text.substr(at, end - at));
    if (end < text.size()) out += '\\';
    at = end + 1;
  }
  return out;
}

std::string message_at(std::string_view text, std::size_t at, std::string_view what) {
  const std::string before = shown(text.substr(0, at));
  const auto columns =
      static_cast<std::size_t>(std::count_if(before.begin(), before.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
      }));
  return "column " + std::to_string(columns + 1) + ": " + std::string(what) + "\n  " + before +
         shown(text.substr(at)) + "\n  " + std::string(columns, ' ') + "^";
}

}  // namespace

Result<Expression> Expression::parse(std::string_view text, std::int64_t now_unix_ms) {
  if (text.size() > kMaxBytes) {
    return fail(Errc::invalid_argument, "an expression has at most " + std::to_string(kMaxBytes) +
                                            " bytes, this one has " + std::to_string(text.size()));
  }
  ExpressionBuilder builder(now_unix_ms);
  peg::memory_input input(text.data(), text.size(), "");
  try {
    static_cast<void>(peg::parse<whole, Action, Control>(input, builder));
  } catch (const peg::parse_error& error) {
    const std::size_t at = std::min(error.positions().front().byte, text.size());
    return fail(Errc::invalid_argument, message_at(text, at, error.message()));
  }
  return builder.finish();
}

bool Expression::matches(const Entry& entry, const LogState& state) const {
  // Each level has at most one operand of || and one of && waiting.
  std::array<Truth, 2 * (kMaxDepth + 1) + 1> stack{};
  std::size_t used = 0;
  std::size_t next_condition = 0;
  for (const Step step : steps_) {
    if (step == Step::condition) {
      stack.at(used++) = conditions_[next_condition++].holds(entry, state);
      continue;
    }
    Truth& top = stack.at(used - 1);
    if (step == Step::negate) {
      top = static_cast<Truth>(2 - static_cast<int>(top));
      continue;
    }
    Truth& below = stack.at(--used - 1);
    below = step == Step::both ? std::min(below, top) : std::max(below, top);
  }
  return used == 1 && stack[0] == Truth::yes;
}

bool Expression::asks_for_definitions() const noexcept {
  return std::any_of(conditions_.begin(), conditions_.end(),
                     [](const Condition& one) { return one.asks_for_definitions(); });
}

}  // namespace sessionblocks::flowlog
