// The lines of a log, sorted into partitions by their client, in file order within each.
//
// Every worker makes this index for itself in one pass over the file, so that counting a partition
// touches only that partition's lines. It views the text, which must outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace demo {

struct LogLine {
  std::string_view text;
  std::uint64_t number;  // the file's first line is 1
};

class LineIndex {
 public:
  LineIndex(std::string_view text, std::size_t partitions);

  [[nodiscard]] std::size_t partitions() const { return lines_.size(); }
  [[nodiscard]] std::span<const LogLine> lines(std::size_t partition) const {
    return lines_.at(partition);
  }

 private:
  std::vector<std::vector<LogLine>> lines_;
};

}  // namespace demo
