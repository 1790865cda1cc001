// Deleting what was kept: snapshots of the state folder with the keys that nothing needs any more,
// and DataBlocks. The director does it, or its operator where no director runs.
//
// A key goes with the last snapshot that needs it: first the keys, then the file, so that a death
// in between leaves a snapshot without keys, which can be deleted again. Keys of which a snapshot
// was written elsewhere stay: nobody here knows what became of that.
#pragma once

#include <functional>
#include <sessionblocks/error.hpp>
#include <string>
#include <vector>

#include "datablock/store.hpp"
#include "director/state_folder.hpp"
#include "snapshot/description.hpp"

namespace sessionblocks::director {

// Whether whoever asks may delete what was kept of that block; its error is the answer.
using MayDelete = std::function<Result<void>(const snapshot::BlockDescription&)>;

struct SnapshotDeleted {
  std::size_t keys = 0;  // that were removed
  std::size_t kept = 0;  // that stay, because something needs them or may
};

// A snapshot of the folder. not_found; invalid_argument: no name; what `may` says; io_error, denied
// for the file or the keys. A file that is damaged, or no snapshot at all, is deleted as well.
[[nodiscard]] Result<SnapshotDeleted> delete_snapshot(const StateFolder& state,
                                                      const std::string& name, bool keeps_keys,
                                                      const MayDelete& may);

// `which`: NAME, NAME@NUMBER or NUMBER. not_found; invalid_argument: a name of several, and `all`
// is not set; what `may` and Store say. In one transaction.
[[nodiscard]] Result<std::vector<datablock::DataBlock>> delete_datablocks(const StateFolder& state,
                                                                          const std::string& which,
                                                                          bool all,
                                                                          const MayDelete& may);

}  // namespace sessionblocks::director
