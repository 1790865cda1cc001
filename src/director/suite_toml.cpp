#include "director/suite_toml.hpp"

#include <stdexcept>

// Debian's toml++ 3.3 does not check all preconditions of its own functions, for example on headers
// such as "[[[a]]]" (marzer/tomlplusplus#301): an abort in debug builds, an assumption that clang++
// may build on in release builds. SyntaxScan refuses the known ones; should there be another, the
// library's checks stay on in every build and throw. No other source file includes the library, so
// all agree on it.
namespace sessionblocks::director {
[[noreturn]] static void broken_precondition(const char* condition) {
  throw std::logic_error(condition);
}
}  // namespace sessionblocks::director

#undef NDEBUG
#define TOML_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::sessionblocks::director::broken_precondition(#condition))
#include <toml++/toml.h>

#include <algorithm>
#include <new>
#include <optional>
#include <tuple>
#include <utility>

namespace sessionblocks::director {
namespace {

// Walks over the text as TOML does, just far enough to tell brackets and dots from the contents of
// strings and comments. It agrees with the library up to the first syntax error, and the library
// stops there, so it never lets a deeper nesting through.
class SyntaxScan {
 public:
  struct Problem {
    SourceLocation where;
    std::string message;
  };

  explicit SyntaxScan(std::string_view text) noexcept : text_(text) {}

  // The first place that the library must not get to see.
  [[nodiscard]] std::optional<Problem> run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        skip_comment();
      } else if (c == '"' || c == '\'') {
        skip_string(c);
        if (tricky_continuation_) {
          return Problem{here(),
                         "write this character as \\uXXXX after a backslash at a line's end"};
        }
      } else {
        if (!may_stand_bare(c))
          return Problem{here(), "not TOML: this character must stand in quotes"};
        if (crosses_brackets(c)) {
          return Problem{here(),
                         std::string("not TOML: '") + c + "' closes no bracket of its kind"};
        }
        if (starts_nameless_header()) return Problem{here(), "not TOML: a table without a name"};
        count(c);
        if (open_.size() > kMaxNesting || dots_ > kMaxNesting) {
          return Problem{here(),
                         "nested more than " + std::to_string(kMaxNesting) + " levels deep"};
        }
        ++at_;
      }
    }
    return std::nullopt;
  }

 private:
  // Outside of strings and comments TOML is printable ASCII; the library is undefined on some other
  // characters there (marzer/tomlplusplus#295).
  [[nodiscard]] static bool may_stand_bare(char c) noexcept {
    return (c >= ' ' && c <= '~') || c == '\t' || c == '\n' || c == '\r';
  }

  // "[}" is another precondition that the library does not check before it relies on it.
  [[nodiscard]] bool crosses_brackets(char c) const noexcept {
    if (open_.empty()) return false;
    return (c == '}' && open_.back() != '{') || (c == ']' && open_.back() != '[');
  }

  // At the '[' of a header; then moves to the character that should start the name.
  [[nodiscard]] bool starts_nameless_header() noexcept {
    constexpr std::string_view kBlanks = " \t";
    if (text_[at_] != '[' || !open_.empty()) return false;
    const std::size_t last = text_.substr(0, at_).find_last_not_of(kBlanks);
    const bool first_on_line = last == std::string_view::npos || text_[last] == '\n';
    if (!first_on_line) return false;
    std::size_t name = at_ + 1;
    if (name < text_.size() && text_[name] == '[') ++name;
    name = text_.find_first_not_of(kBlanks, name);
    if (name == std::string_view::npos || starts_name(text_[name])) return false;
    at_ = name;
    return true;
  }

  [[nodiscard]] static bool starts_name(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '"' || c == '\'';
  }

  void count(char c) {
    if (c == '.') {
      ++dots_;
      return;
    }
    if (c == '[' || c == '{') open_ += c;
    if ((c == ']' || c == '}') && !open_.empty()) open_.pop_back();
    // Only these end a dotted key; blanks are allowed around its dots.
    if (std::string_view("[]{}=,\n").find(c) != std::string_view::npos) dots_ = 0;
  }

  void skip_comment() noexcept { at_ = std::min(text_.find('\n', at_), text_.size()); }

  void skip_string(char quote) noexcept {
    const std::string_view rest = text_.substr(at_);
    const bool multi_line = rest.size() >= 3 && rest[1] == quote && rest[2] == quote;
    at_ += multi_line ? 3 : 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\\' && quote == '"') {
        at_ += 2;
        if (multi_line && continues_with_non_ascii()) return;
      } else if (c == quote && multi_line) {
        if (skip_quotes(quote) >= 3) return;
      } else {
        ++at_;
        if (!multi_line && (c == quote || c == '\n')) return;
      }
    }
  }

  // Behind a backslash: whether it ends a line and the text goes on with a character outside ASCII,
  // on which the library is undefined (marzer/tomlplusplus#190).
  [[nodiscard]] bool continues_with_non_ascii() noexcept {
    constexpr std::string_view kSpace = " \t\r\n\v\f";
    if (at_ > text_.size() || kSpace.find(text_[at_ - 1]) == std::string_view::npos) return false;
    const std::size_t next = text_.find_first_not_of(kSpace, at_);
    if (next == std::string_view::npos || static_cast<unsigned char>(text_[next]) < 0x80)
      return false;
    at_ = next;
    tricky_continuation_ = true;
    return true;
  }

  // How many stand here, at most five: two may stand before the three that end a multi-line string.
  std::size_t skip_quotes(char quote) noexcept {
    const std::size_t end = std::min(text_.find_first_not_of(quote, at_), text_.size());
    const std::size_t quotes = std::min<std::size_t>(end - at_, 5);
    at_ += quotes;
    return quotes;
  }

  [[nodiscard]] SourceLocation here() const noexcept {
    const std::string_view before = text_.substr(0, at_);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t newline = before.rfind('\n');
    const std::string_view beside =
        before.substr(newline == std::string_view::npos ? 0 : newline + 1);
    // Code points, as the library counts: all bytes that continue none.
    const auto column = 1 + std::count_if(beside.begin(), beside.end(), [](char c) {
                          return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
                        });
    return {static_cast<std::uint32_t>(line), static_cast<std::uint32_t>(column)};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string open_;  // the brackets that are open here
  std::size_t dots_ = 0;
  bool tricky_continuation_ = false;
};

SourceLocation place(const toml::source_region& region) noexcept {
  return {region.begin.line, region.begin.column};
}

TomlNode convert(const toml::node& node);

TomlNode convert_table(const toml::table& table) {
  TomlNode out;
  for (const auto& [key, value] : table) {
    out.members.push_back({std::string(key.str()), place(key.source()), convert(value)});
  }
  // The library sorts by key.
  std::stable_sort(out.members.begin(), out.members.end(), [](const auto& a, const auto& b) {
    return std::tie(a.where.line, a.where.column) < std::tie(b.where.line, b.where.column);
  });
  return out;
}

// Recursion is bounded by SyntaxScan.
TomlNode convert(const toml::node& node) {
  TomlNode out;
  if (const auto* table = node.as_table()) {
    out = convert_table(*table);
  } else if (const auto* array = node.as_array()) {
    out.type = TomlNode::Type::array;
    for (const toml::node& item : *array) out.items.push_back(convert(item));
  } else if (const auto* text = node.as_string()) {
    out.type = TomlNode::Type::text;
    out.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    out.type = TomlNode::Type::integer;
    out.integer = integer->get();
  } else if (const auto* boolean = node.as_boolean()) {
    out.type = TomlNode::Type::boolean;
    out.boolean = boolean->get();
  } else {
    out.type = node.is_floating_point() ? TomlNode::Type::real : TomlNode::Type::date;
  }
  out.where = place(node.source());
  return out;
}

}  // namespace

std::string_view type_name(TomlNode::Type type) noexcept {
  switch (type) {
    case TomlNode::Type::text:
      return "a text";
    case TomlNode::Type::integer:
      return "an integer";
    case TomlNode::Type::real:
      return "a float";
    case TomlNode::Type::boolean:
      return "a boolean";
    case TomlNode::Type::date:
      return "a date or time";
    case TomlNode::Type::array:
      return "an array";
    case TomlNode::Type::table:
      return "a table";
  }
  return "?";
}

tl::expected<TomlNode, Diagnostic> parse_toml(std::string_view text, std::string_view file) {
  const auto refuse = [&](SourceLocation where, std::string message) {
    return tl::unexpected<Diagnostic>(
        Diagnostic{std::string(file), where.line, where.column, std::move(message)});
  };
  if (text.size() > kMaxSuiteBytes) return refuse({1, 1}, "the file is larger than 1MiB");
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (auto problem = SyntaxScan(text).run()) return refuse(problem->where, problem->message);
  try {
    return convert(toml::parse(text, file));
  } catch (const toml::parse_error& error) {
    const SourceLocation where = place(error.source());
    return refuse(where, "not TOML: " + std::string(error.description()));
  } catch (const std::logic_error& error) {
    return refuse({1, 1}, "the TOML library cannot read this: " + std::string(error.what()));
  } catch (const std::bad_alloc&) {
    return refuse({}, "out of memory while reading the file");
  }
}

}  // namespace sessionblocks::director
