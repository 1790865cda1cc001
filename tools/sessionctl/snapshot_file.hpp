// Snapshot files as this user can read them, with or without a director: the keys are in the state
// folder, where the director alone writes and this user, its operator, may read.
#pragma once

#include <filesystem>

#include "director/state_folder.hpp"
#include "entry_source.hpp"
#include "snapshot/reader.hpp"

namespace sessionblocks::ctl {

[[nodiscard]] Result<director::StateFolder> state_folder(const Options& options);
// A path, or a name in the state folder.
[[nodiscard]] Result<std::filesystem::path> snapshot_path(const Options& options,
                                                          const std::string& file);
[[nodiscard]] Result<snapshot::Reader> open_snapshot(const Options& options,
                                                     const std::string& file);
// wiped, denied: there is no key for it any more, or none here.
[[nodiscard]] Result<snapshot::Key> key_of(const Options& options,
                                           const snapshot::BlockDescription& block);
// What of source.block can be read. Expiry counts from the instant, as at a checkpoint.
[[nodiscard]] Result<Read> read_snapshot(const Options& options, const Source& source,
                                         const Wanted& wanted);

}  // namespace sessionblocks::ctl
