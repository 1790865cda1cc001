// Where a session system keeps its files, and what its segments are called.
//
//   $XDG_RUNTIME_DIR/sessionblocks/SYSTEM/     or, without that variable,
//   /run/sessionblocks/SYSTEM/                 for root,
//   /tmp/sessionblocks-UID/SYSTEM/             for everybody else
//     socket          where clients connect
//     lock            who directs this system (FileLock)
//     operator.key    0600: who can read it is an operator
//     started/        what workers asked for when they had scripts started (StartRecords)
//     logs/           FlowLog's files
//     state/          what outlives the system (state_folder.hpp); a link when it is elsewhere
//   /dev/shm/sessionblocks.UID.SYSTEM.{control,worker.ID,block.ID.GEN,readers.ID.GEN}
//
// Folders are 0700, or 0711 when scripts run as other users. A folder that somebody else owns, or
// that others may write, is refused: in /tmp anyone could have put it there first.
// What a crash leaves: the folder with its lock file; the next director takes both over.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <sessionblocks/error.hpp>
#include <string>
#include <string_view>

#include "core/ids.hpp"

namespace sessionblocks::director {

// In the state folder: what signs the audit log (flowlog/signing_key.hpp).
inline constexpr const char* kLogKey = "log.key";

struct RuntimePaths {
  std::string system;
  std::filesystem::path directory;
  std::string segment_prefix;  // "sessionblocks.1000.default."

  // `directory` instead of the one above, when it is given. invalid_argument: `system` is no name
  // (a letter, then letters, digits, '_' or '-', at most 48).
  [[nodiscard]] static Result<RuntimePaths> of(std::string_view system,
                                               const std::filesystem::path& directory = {});

  [[nodiscard]] std::filesystem::path socket() const { return directory / "socket"; }
  [[nodiscard]] std::filesystem::path lock() const { return directory / "lock"; }
  [[nodiscard]] std::filesystem::path operator_key() const { return directory / "operator.key"; }
  [[nodiscard]] std::filesystem::path started() const { return directory / "started"; }
  [[nodiscard]] std::filesystem::path logs() const { return directory / "logs"; }
  [[nodiscard]] std::filesystem::path state() const { return directory / "state"; }

  [[nodiscard]] std::string control_segment() const { return segment_prefix + "control"; }
  [[nodiscard]] std::string worker_segment(WorkerId worker) const;
  [[nodiscard]] std::string block_segment(BlockId block, Generation generation) const;
  [[nodiscard]] std::string readers_segment(BlockId block, Generation generation) const;

  // Makes the folder and its parents. denied: a folder on the way is another user's, or a link.
  [[nodiscard]] Result<void> make(mode_t mode) const;
  // Removes what a system in order leaves: socket, key and lock file, and the folders if empty.
  // Logs and state stay when there are any. A key alone is none, when its log is kept elsewhere.
  void remove() const noexcept;
};

}  // namespace sessionblocks::director
