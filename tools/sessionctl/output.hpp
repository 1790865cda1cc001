// How results are shown: a table for people, JSON for programs. Data goes to stdout and nothing
// else does; say() writes to stderr.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sessionblocks::ctl {

enum class Format : std::uint8_t { table, json, trace };  // trace: of log only

using Json = nlohmann::ordered_json;  // fields stay in the order that a person reads them

// Columns as wide as their widest cell; a column of numbers is set to the right. Cells are escaped
// here: nothing that a worker stored reaches the terminal as a control character.
class Table {
 public:
  explicit Table(std::vector<std::string> heads) : rows_{std::move(heads)} {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

void print(std::string_view text);  // as it is
void print(const Table& table);
void print_json(const Json& document);  // indented, with a newline
void say(std::string_view line);        // to stderr, behind "sessionctl: "
// Whether stdout took everything. io_error: a full disk or a closed pipe.
[[nodiscard]] Result<void> finish_output();

// {"key": text}, or {"key_base64": ...} when it is not UTF-8; `name` instead of "key".
void put_bytes(Json& object, const std::string& name, std::string_view bytes);
// As it is when it is printable UTF-8, else escaped.
[[nodiscard]] std::string readable(std::string_view bytes);
// "1.5 MiB"
[[nodiscard]] std::string size_text(std::uint64_t bytes);
// "2 h 5 min", "3.2 s"
[[nodiscard]] std::string duration_text(std::uint64_t ms);

}  // namespace sessionblocks::ctl
