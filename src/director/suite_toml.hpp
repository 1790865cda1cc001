// TOML text as a plain tree with places, so that one source file alone knows the TOML library.
//
// Any bytes are accepted and give a tree or a diagnostic: the size, the depth of brackets and the
// length of dotted keys are bounded before the text is parsed, because the library builds and frees
// its tree by recursion. The first syntax error ends the reading; the library does not resume.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "director/suite_diagnostic.hpp"

namespace sessionblocks::director {

inline constexpr std::size_t kMaxSuiteBytes = std::size_t{1} << 20U;
inline constexpr std::size_t kMaxNesting = 32;

struct TomlMember;

struct TomlNode {
  enum class Type : std::uint8_t { text, integer, real, boolean, date, array, table };
  Type type = Type::table;
  SourceLocation where;
  std::string text;
  std::int64_t integer = 0;
  bool boolean = false;
  std::vector<TomlNode> items;      // of an array
  std::vector<TomlMember> members;  // of a table, in the order of the file
};

struct TomlMember {
  std::string key;
  SourceLocation where;  // of the key
  TomlNode value;
};

// "a text", "an array", ...
[[nodiscard]] std::string_view type_name(TomlNode::Type type) noexcept;

[[nodiscard]] tl::expected<TomlNode, Diagnostic> parse_toml(std::string_view text,
                                                            std::string_view file);

}  // namespace sessionblocks::director
