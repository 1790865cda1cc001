#include "visitor_state.hpp"

namespace demo {

bool VisitorState::apply(const AccessLine& line, std::uint64_t number, std::int64_t gap_s) {
  if (number <= last_line) return false;
  if (requests == 0 || line.time_s - last_time_s > gap_s) sessions += 1;
  last_line = number;
  last_time_s = line.time_s;
  requests += 1;
  bytes += line.bytes;
  status.at(line.status / 100 - 1) += 1;
  return true;
}

bool LineCount::apply(std::uint64_t number) {
  if (number <= last_line) return false;
  last_line = number;
  lines += 1;
  return true;
}

}  // namespace demo
