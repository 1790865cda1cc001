// Where entries are read from: a block, one of its checkpoints, or a snapshot file.
//
// A worker reads through the public library; the operator reads segments and files itself, and is
// shown no sensitive key and no value of one.
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
  director::SharedMask mask{};        // covers what the caller may not show; none: nothing

  [[nodiscard]] bool hides(const std::string& key) const {
    return mask != nullptr && mask->covers(key);
  }
  [[nodiscard]] std::string shown(const std::string& key) const {
    return mask == nullptr ? key : mask->shown(key);
  }
};

[[nodiscard]] Result<Read> read_entries(const Options& options, const Source& source,
                                        const Wanted& wanted);
// Says the problems; findings if there are any.
[[nodiscard]] ExitCode outcome_of(const Read& read);

}  // namespace sessionblocks::ctl
