// Session systems of this user that nobody uses any more, but whose segments still have names.
//
// A system is in use when its lock is held, when a process has one of its segments mapped, or when
// a worker that control names lives. Segments of another layout are judged by the first two, so
// that an old version's can be removed too. What cannot be judged is kept.
#pragma once

#include <optional>
#include <sessionblocks/error.hpp>
#include <string>
#include <vector>

#include "director/runtime_paths.hpp"
#include "platform/file_lock.hpp"
#include "system.hpp"

namespace sessionblocks::ctl {

struct FoundSystem {
  director::RuntimePaths paths;
  std::vector<std::string> segments;  // names in /dev/shm
  std::string in_use_by;              // empty: nobody
};

// Every system of this user that has a name in /dev/shm; only --system when that was given.
[[nodiscard]] Result<std::vector<FoundSystem>> find_systems(const Options& options);

// Removes a system's segments and runtime files. Judged once more, with its lock held, so that a
// director that starts meanwhile loses nothing. Returns by whom it is in use after all, or empty.
// io_error, denied. Again does nothing; a crash leaves what the next call removes.
[[nodiscard]] Result<std::string> remove_system(const FoundSystem& found);

}  // namespace sessionblocks::ctl
