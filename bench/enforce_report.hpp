// What `sessionbench enforce` measured, as a table and as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sessionblocks::bench {

// One kind of request at one size; each time beside the bare copy that was made right before it.
struct EnforceRow {
  std::uint64_t live_bytes = 0;
  std::string what;
  std::vector<double> ms;
  std::vector<double> copy_ms;
  // Met by `most_copies` medians of the copy and `most_ms` besides.
  double most_copies = 0;
  double most_ms = 0;
};

[[nodiscard]] double median(std::vector<double> values);
void print_head();
void print_row(const EnforceRow& row);
// False: the file cannot be written.
[[nodiscard]] bool write_json(const std::string& file, const std::vector<EnforceRow>& rows,
                              std::uint64_t value_bytes);

}  // namespace sessionblocks::bench
