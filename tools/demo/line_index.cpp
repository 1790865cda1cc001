#include "line_index.hpp"

#include "access_log.hpp"
#include "entry_names.hpp"

namespace demo {

LineIndex::LineIndex(std::string_view text, std::size_t partitions) : lines_(partitions) {
  for (std::uint64_t number = 1; !text.empty(); ++number) {
    const std::string_view line = take_line(text);
    lines_[stable_hash(client_of(line)) % partitions].push_back({line, number});
  }
}

}  // namespace demo
