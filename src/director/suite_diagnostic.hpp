// Where something stands in a suite file, and what is wrong with it.
//
// Lines and columns start at 1; a column counts code points. Line 0 means "no place in a file": the
// suite was built by a program, or the file could not be read at all.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

namespace sessionblocks::director {

struct SourceLocation {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  friend bool operator==(const SourceLocation&, const SourceLocation&) = default;
};

struct Diagnostic {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string message;

  // `file:line:column: message`; without a line only `file: message`.
  [[nodiscard]] std::string text() const {
    std::string out = file.empty() ? "suite" : file;
    if (line != 0) out += ":" + std::to_string(line) + ":" + std::to_string(column);
    return out + ": " + message;
  }
  friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

// In the order of the file, so that an author can work from top to bottom.
inline void sort_by_place(std::vector<Diagnostic>& diagnostics) {
  std::stable_sort(diagnostics.begin(), diagnostics.end(), [](const auto& a, const auto& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
}

}  // namespace sessionblocks::director
