// Proves that a log is whole: every frame is as it was written, each follows the one before it,
// and per lane no record is missing that a gap does not state.
//
// It cannot see that the newest records were removed together with all that follows them; signed
// checkpoints do.
#pragma once

#include <cstdint>
#include <sessionblocks/error.hpp>
#include <string>

#include "flowlog/log_reader.hpp"

namespace sessionblocks::flowlog {

struct VerifyReport {
  std::uint64_t records = 0;
  std::uint64_t operations = 0;  // records with their counts
  std::uint64_t notes = 0;
  std::uint64_t lanes = 0;
  std::uint64_t files = 0;
  std::string first_file;           // older ones: removed to keep the disk budget, or by somebody
  std::uint64_t missing_cells = 0;  // stated by gaps: counted, not kept
  std::uint64_t problems = 0;
  std::string first_problem;  // what and, if it has one, which lane
  Place first_place;
  bool has_torn_tail = false;  // counts as a problem: it is one unless a writer is at work

  [[nodiscard]] bool is_whole() const noexcept { return problems == 0; }
  // One line for people.
  [[nodiscard]] std::string text() const;
};

// not_found: no log; io_error: it cannot be read.
[[nodiscard]] Result<VerifyReport> verify(const std::string& folder);

}  // namespace sessionblocks::flowlog
