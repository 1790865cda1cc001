#include "director/runtime_paths.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "platform/os_error.hpp"

namespace sessionblocks::director {
namespace {

namespace fs = std::filesystem;

bool is_system_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto inner = [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= 48 && letter(name.front()) &&
         std::all_of(name.begin(), name.end(), inner);
}

fs::path base_directory() {
  const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && runtime[0] == '/') return fs::path(runtime) / "sessionblocks";
  if (::geteuid() == 0) return "/run/sessionblocks";
  return "/tmp/sessionblocks-" + std::to_string(::geteuid());
}

bool has_only(const fs::path& folder, std::string_view name) {
  std::error_code error;
  std::size_t others = 0;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    others += entry.path().filename() == name ? 0U : 1U;
  }
  return !error && others == 0;
}

// A folder of ours, made when it is absent. lstat, not stat: a link could lead anywhere.
Result<void> make_own_folder(const fs::path& folder, mode_t mode) {
  if (::mkdir(folder.c_str(), mode) != 0 && errno != EEXIST) {
    return platform::fail_errno("make folder", folder.native());
  }
  struct stat status {};
  if (::lstat(folder.c_str(), &status) != 0) {
    return platform::fail_errno("look at folder", folder.native());
  }
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid()) {
    return fail(Errc::denied, "folder " + folder.native() + ": not a folder of this user");
  }
  if ((status.st_mode & 0022) != 0) {
    return fail(Errc::denied, "folder " + folder.native() + ": others may write to it");
  }
  return {};
}

std::string numbered(BlockId block, Generation generation) {
  return std::to_string(raw(block)) + "." + std::to_string(raw(generation));
}

}  // namespace

Result<RuntimePaths> RuntimePaths::of(std::string_view system, const fs::path& directory) {
  if (!is_system_name(system)) {
    return fail(Errc::invalid_argument,
                "session system: a name is a letter, then letters, digits, '_' or '-', at most 48");
  }
  RuntimePaths paths;
  paths.system = system;
  paths.directory = directory.empty() ? base_directory() / paths.system : directory;
  paths.segment_prefix = "sessionblocks." + std::to_string(::geteuid()) + "." + paths.system + ".";
  return paths;
}

std::string RuntimePaths::worker_segment(WorkerId worker) const {
  return segment_prefix + "worker." + std::to_string(raw(worker));
}
std::string RuntimePaths::block_segment(BlockId block, Generation generation) const {
  return segment_prefix + "block." + numbered(block, generation);
}
std::string RuntimePaths::readers_segment(BlockId block, Generation generation) const {
  return segment_prefix + "readers." + numbered(block, generation);
}

Result<void> RuntimePaths::make(mode_t mode) const {
  std::error_code ignored;
  const fs::path parent = directory.parent_path();
  if (!fs::exists(parent, ignored)) {
    fs::create_directories(parent.parent_path(), ignored);
    if (auto made = make_own_folder(parent, mode); !made) return made;
  }
  if (auto made = make_own_folder(directory, mode); !made) return made;
  if (::chmod(directory.c_str(), mode) != 0) {
    return platform::fail_errno("set the mode of", directory.native());
  }
  if (mode != 0700 && parent == base_directory()) ::chmod(parent.c_str(), mode);
  return {};
}

void RuntimePaths::remove() const noexcept {
  try {
    std::error_code ignored;
    fs::remove_all(directory / "tmp", ignored);  // TMPDIRs of slots that a dead director started
    fs::remove_all(started(), ignored);
    // Folders only when they are empty.
    for (const fs::path& path : {socket(), operator_key(), logs(), state() / "snapshots"}) {
      ::remove(path.c_str());
    }
    // A log that is kept elsewhere was signed with a key of this folder's: it ends with that.
    const bool keeps_log = fs::exists(logs(), ignored) || fs::is_symlink(state(), ignored);
    if (!keeps_log && has_only(state(), kLogKey)) ::remove((state() / kLogKey).c_str());
    for (const fs::path& path : {state(), lock(), directory}) ::remove(path.c_str());
    if (directory.parent_path() == base_directory()) ::rmdir(directory.parent_path().c_str());
  } catch (...) {  // no memory for a path: the next start or sweep removes it
    return;
  }
}

}  // namespace sessionblocks::director
