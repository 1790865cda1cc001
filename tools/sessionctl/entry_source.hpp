// Where entries are read from: a block, one of its checkpoints, or a snapshot file.
//
// A worker reads through the public library; the operator reads segments and files itself.
#pragma once

#include <string>
#include <vector>

#include "block_reader.hpp"
#include "exit_code.hpp"
#include "system.hpp"

namespace sessionblocks::ctl {

struct Source {
  std::string block;
  std::string at;        // a checkpoint
  std::string snapshot;  // a file; with neither: the block as it is
};

struct Read {
  Entries entries;
  std::vector<std::string> problems;  // what could not be read
};

[[nodiscard]] Result<Read> read_entries(const Options& options, const Source& source,
                                        const Wanted& wanted);
// Says the problems; findings if there are any.
[[nodiscard]] ExitCode outcome_of(const Read& read);

}  // namespace sessionblocks::ctl
