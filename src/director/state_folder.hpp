// What outlives a session system, and where: a folder of its own, 0700, made when it is first
// needed.
//
//   state/keys                    the keys of snapshots (snapshot/keys.hpp), 0600
//   state/log.key                 what signs the audit log (flowlog/signing_key.hpp), 0600
//   state/snapshots/NAME.sbsnap   snapshots that were named without a folder
//   state/snapshots/.unfinished   the path of a snapshot that is being written
//   state/datablocks.sqlite       DataBlocks (datablock/store.hpp)
//
// A snapshot is written beside its final name and then renamed. Before that, .unfinished says
// where, so that what a director leaves that dies meanwhile is removed by the next one, wherever it
// is.
#pragma once

#include <filesystem>
#include <sessionblocks/error.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace sessionblocks::director {

class StateFolder {
 public:
  explicit StateFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  [[nodiscard]] std::filesystem::path keys() const { return folder_ / "keys"; }
  [[nodiscard]] std::filesystem::path snapshots() const { return folder_ / "snapshots"; }
  [[nodiscard]] std::filesystem::path datablocks() const { return folder_ / "datablocks.sqlite"; }
  // What a snapshot of this name is called here. Precondition: is_name(name).
  [[nodiscard]] std::filesystem::path snapshot(std::string_view name) const;

  // Of the snapshots here, sorted.
  [[nodiscard]] Result<std::vector<std::string>> snapshot_names() const;

  // denied: another user's, or others may write it.
  [[nodiscard]] Result<void> make() const;
  // It is at `folder` from now on. exists: there is something here that is no link.
  [[nodiscard]] Result<void> lead_to(const std::filesystem::path& folder) const;

  // Where the snapshot that shall be called `final` is written; said on the disk before this
  // returns.
  [[nodiscard]] Result<std::filesystem::path> begin(const std::filesystem::path& final) const;
  // The file that is written, if any, and that there is one. Again does nothing.
  void remove_unfinished() const noexcept;

 private:
  [[nodiscard]] std::filesystem::path unfinished() const { return snapshots() / ".unfinished"; }
  std::filesystem::path folder_;
};

}  // namespace sessionblocks::director
