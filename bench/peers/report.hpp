// Rows as a table for people and as JSON in Google Benchmark's schema.
#pragma once

#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "row.hpp"

namespace sessionblocks::bench {

void print_heading(std::ostream& out);
void print_row(std::ostream& out, const Row& row);

[[nodiscard]] nlohmann::json json_of(const Row& row, unsigned repetitions);
// What Google Benchmark says of the machine; callers add what is theirs.
[[nodiscard]] nlohmann::json machine_context(const std::string& executable);

}  // namespace sessionblocks::bench
