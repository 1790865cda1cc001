// Proves that a log is whole: every frame is as it was written, each follows the one before it,
// and per lane no record is missing that a gap does not state; and says up to where all of it is
// signed.
//
// What stands behind the last checkpoint is chained only: whoever can write the files can write it
// anew, or cut it. That checkpoints themselves were cut shows only to who knows the number of one:
// since_checkpoint.
#pragma once

#include <cstdint>
#include <optional>
#include <sessionblocks/error.hpp>
#include <string>
#include <vector>

#include "flowlog/log_reader.hpp"

namespace sessionblocks::flowlog {

struct VerifyOptions {
  std::string public_key_file;  // a copy of log.pub; empty: the one beside the log, if there is one
  std::optional<std::uint64_t> since_checkpoint;  // the log must have this one, or a later one
};

// Ring cells that are not in the log.
struct MissingCells {
  std::uint64_t first = 0;
  std::uint64_t cells = 0;
  bool is_stated = false;  // by a gap: counted instead of kept
};

// What is proved of one thread of one worker.
struct LaneReport {
  std::uint32_t system = 1;  // which of the session systems that wrote to this log, from 1 on
  LaneRef lane;
  std::string scope;
  std::uint64_t first = 0;  // the oldest number that is left
  std::uint64_t next = 0;   // behind the newest
  std::uint64_t records = 0;
  std::uint64_t signed_next = 0;      // behind the newest that a checkpoint covers
  std::uint64_t stated_cells = 0;     // missing and stated
  std::uint64_t unstated_cells = 0;   // missing, and nothing says why
  std::vector<MissingCells> missing;  // the first kMostMissing of them
  static constexpr std::size_t kMostMissing = 100;
};

struct CheckpointReport {
  std::uint64_t count = 0;        // with a signature that holds
  std::uint64_t last_number = 0;  // of the last of them
  std::int64_t last_unix_ms = 0;
  Place last_place;                  // all before it is signed
  std::uint64_t records_behind = 0;  // chained only
  std::uint64_t notes_behind = 0;
};

struct VerifyReport {
  std::uint64_t records = 0;
  std::uint64_t operations = 0;  // records with their counts
  std::uint64_t notes = 0;
  std::uint64_t lanes = 0;
  std::uint64_t files = 0;
  std::string first_file;
  std::uint64_t first_number = 0;   // of the first file: older ones have gone
  std::uint64_t removed_files = 0;  // of them, taken by the disk budget, as notes say
  std::int64_t begins_unix_ms = 0;
  std::uint64_t missing_cells = 0;  // stated by gaps: counted, not kept
  std::vector<LaneReport> lane_reports;
  CheckpointReport checkpoints;
  std::uint64_t problems = 0;
  std::string first_problem;  // what and, if it has one, which lane
  Place first_place;
  bool has_torn_tail = false;  // counts as a problem: it is one unless a writer is at work

  [[nodiscard]] bool is_whole() const noexcept { return problems == 0; }
  // Lines for people, the first of which says it all.
  [[nodiscard]] std::string text() const;
};

// not_found: no log, or no such key file; malformed: no public keys in it; io_error: it cannot be
// read.
[[nodiscard]] Result<VerifyReport> verify(const std::string& folder,
                                          const VerifyOptions& options = {});

}  // namespace sessionblocks::flowlog
