// Typed reading of one table of a suite file: each key once, every problem noted, nothing thrown.
//
// A reader of a missing key leaves the default as it is; a reader of a wrong value notes the
// problem and leaves the default as well, so that reading goes on and finds the next problem. Every
// key that was asked for is known; finish() reports the rest with the nearest known one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "director/suite.hpp"
#include "director/suite_toml.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {

class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(SourceLocation where, std::string message) {
    all_.push_back({file_, where.line, where.column, std::move(message)});
  }
  [[nodiscard]] const std::string& file() const noexcept { return file_; }
  [[nodiscard]] std::vector<Diagnostic> take() && { return std::move(all_); }

 private:
  std::string file_;
  std::vector<Diagnostic> all_;
};

class TableReader {
 public:
  // Sets where.self, and fills where.keys as keys are found. `prefix` stands before each key there:
  // "budget." for the table that is written `budget = { count = 5 }`.
  TableReader(const TomlNode& table, SourceLocation self, Places& where, Problems& problems,
              std::string prefix = {});

  // The value of a key, which is known from now on; null when it is not there.
  const TomlNode* find(std::string_view key);
  // The same, and null with a problem noted when it has another type.
  const TomlNode* find(std::string_view key, TomlNode::Type type);

  void text(std::string_view key, std::string& out);
  void text(std::string_view key, std::optional<std::string>& out);
  void boolean(std::string_view key, bool& out);
  void texts(std::string_view key, std::vector<std::string>& out);
  // Name to text.
  void text_map(std::string_view key, std::map<std::string, std::string>& out);
  // `min` and `max` bound the value; the message names both.
  template <typename Int>
  void integer(std::string_view key, std::int64_t min, std::int64_t max, Int& out) {
    std::int64_t value = 0;
    if (integer_in(key, min, max, value)) out = static_cast<Int>(value);
  }
  void size_bytes(std::string_view key, std::uint64_t& out);
  void size_bytes(std::string_view key, std::optional<std::uint64_t>& out);
  void duration_ms(std::string_view key, std::uint64_t& out);
  void duration_ms(std::string_view key, std::optional<std::uint64_t>& out);
  // A relative path starts at `folder`.
  void path(std::string_view key, const std::filesystem::path& folder,
            std::optional<std::filesystem::path>& out);
  void paths(std::string_view key, const std::filesystem::path& folder,
             std::vector<std::filesystem::path>& out);
  // A scope that cannot be read leaves the default.
  void scope(std::string_view key, ScopeRef& out);
  void scope(std::string_view key, std::optional<ScopeRef>& out);
  void rights(std::string_view key, RightsByScript& out);

  template <typename Enum>
  void choice(std::string_view key, Enum& out) {
    const TomlNode* node = find(key, TomlNode::Type::text);
    if (node == nullptr) return;
    if (const auto value = value_of<Enum>(node->text)) {
      out = *value;
    } else {
      refuse_word(key, *node, spellings<Enum>());
    }
  }

  // Reports every key that nobody asked for. The last call.
  void finish();

  [[nodiscard]] Problems& problems() noexcept { return problems_; }
  // Notes that a value, or a part of it, is not what the key needs.
  void refuse(std::string_view key, SourceLocation where, std::string message);
  void refuse_type(std::string_view key, const TomlNode& node, std::string_view expected);
  void refuse_word(std::string_view key, const TomlNode& node,
                   const std::vector<std::string_view>& choices);

 private:
  bool integer_in(std::string_view key, std::int64_t min, std::int64_t max, std::int64_t& out);
  std::optional<ScopeRef> scope_at(std::string_view key);
  std::optional<std::uint64_t> duration(std::string_view key);
  [[nodiscard]] std::string full_key(std::string_view key) const;

  const TomlNode& table_;
  Places& where_;
  Problems& problems_;
  std::string prefix_;
  std::vector<std::string_view> known_;  // literals of the callers
};

// A relative path starts at `folder`; dots are resolved by spelling alone. Empty stays empty.
[[nodiscard]] std::filesystem::path resolve(const std::filesystem::path& folder,
                                            const std::string& text);

}  // namespace sessionblocks::director
