// Reads a suite file into a Suite, or says everything that is wrong with it.
//
// Three depths, each with all problems in the order of the file:
// - parse_suite: can the text be read? TOML, keys, types, units, words, ranges;
// - load_suite: the same from a file;
// - open_suite: load_suite and check_suite in one, what a program that runs a suite wants.
// TOML's own syntax is the exception: reading ends at the first syntax error.
//
// Any bytes give a result: never a crash, a hang, or an exception. Nothing is started or created.
#pragma once

#include <filesystem>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "director/suite.hpp"
#include "director/suite_check.hpp"
#include "director/suite_diagnostic.hpp"

namespace sessionblocks::director {

inline constexpr std::int64_t kSuiteSchema = 1;

using SuiteResult = tl::expected<Suite, std::vector<Diagnostic>>;

// `filename` is named in diagnostics as it is, and its folder is where relative paths start.
[[nodiscard]] SuiteResult parse_suite(std::string_view text, std::string_view filename);

// Refuses what is not a regular file (a pipe would block) and more than kMaxSuiteBytes.
[[nodiscard]] SuiteResult load_suite(const std::filesystem::path& path);

[[nodiscard]] SuiteResult open_suite(const std::filesystem::path& path, const Machine& machine);

// What could be read, with what could not: for callers that go on to check_suite.
struct SuiteReading {
  Suite suite;
  std::vector<Diagnostic> problems;
  // False when nothing of the text is in `suite`: no file, or a syntax error.
  bool readable = false;
};
[[nodiscard]] SuiteReading read_suite(std::string_view text, std::string_view filename);

}  // namespace sessionblocks::director
