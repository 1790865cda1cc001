#include "leftovers.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "platform/shared_segment.hpp"

namespace sessionblocks::ctl {
namespace {

namespace fs = std::filesystem;
using platform::SharedSegment;

// As /proc/PID/maps spells a mapped file: "00:1a 4711".
std::set<std::string> inodes_of(const std::vector<std::string>& segments) {
  std::set<std::string> inodes;
  for (const std::string& name : segments) {
    struct stat status {};
    if (::lstat(("/dev/shm/" + name).c_str(), &status) != 0) continue;
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%02x:%02x %llu", ::major(status.st_dev),
                  ::minor(status.st_dev), static_cast<unsigned long long>(status.st_ino));
    inodes.insert(text.data());
  }
  return inodes;
}

bool maps_any(const fs::path& process, const std::set<std::string>& inodes) {
  std::ifstream maps(process / "maps");  // empty for another user's process: not ours to judge
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    std::string range;
    std::string rights;
    std::string offset;
    std::string device;
    std::string inode;
    if (!(fields >> range >> rights >> offset >> device >> inode)) continue;
    if (inodes.contains(device + " " + inode)) return true;
  }
  return false;
}

std::string who_maps(const std::vector<std::string>& segments) {
  const std::set<std::string> inodes = inodes_of(segments);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (maps_any(entry.path(), inodes)) return "process " + pid + " has it mapped";
  }
  return {};
}

std::string who_control_names(const director::RuntimePaths& paths) {
  const auto segment = SegmentReader::open(paths.control_segment());
  if (!segment) return {};
  const auto image = ControlImage::read(*segment);
  if (!image) return {};  // another layout, or never finished
  const auto boot = platform::boot_id();
  if (!boot || *boot != image->director.boot) return {};
  if (!image->is_of_this_time()) return "its processes are in another pid namespace";
  if (image->is_directed()) return "director " + std::to_string(image->director.pid) + " lives";
  for (const WorkerInfo& worker : image->workers) {
    if (worker.is_director || !worker.process.alive()) continue;
    return "worker " + std::to_string(worker.process.pid) + " lives; start the director again";
  }
  return {};
}

std::string who_uses(const director::RuntimePaths& paths,
                     const std::vector<std::string>& segments) {
  const auto holder = platform::FileLock::holder(paths.lock());
  if (holder) return "director " + std::to_string(*holder) + " lives";
  std::string user = who_control_names(paths);
  return user.empty() ? who_maps(segments) : user;
}

// What its own director would elevate or snapshot, if it were started again.
std::string what_is_to_keep(const director::RuntimePaths& paths) {
  const auto segment = SegmentReader::open(paths.control_segment());
  if (!segment) return {};
  const auto image = ControlImage::read(*segment);
  const auto boot = platform::boot_id();
  if (!image || !boot || *boot != image->director.boot) return {};
  for (const BlockInfo& block : image->blocks) {
    if (block.at_end != AtEnd::elevate && block.at_end != AtEnd::snapshot) continue;
    return "block " + block.name + " is to be kept: start the director again, or name the system " +
           "with --system to remove it";
  }
  return {};
}

std::string user_prefix() {
  return "sessionblocks." + std::to_string(::geteuid()) + ".";
}

}  // namespace

Result<std::vector<FoundSystem>> find_systems(const Options& options) {
  const std::string prefix = user_prefix();
  const auto names = SharedSegment::list(prefix);
  if (!names) return tl::unexpected(names.error());
  std::map<std::string, std::vector<std::string>> by_system;
  for (const std::string& name : *names) {
    by_system[name.substr(prefix.size(), name.find('.', prefix.size()) - prefix.size())].push_back(
        name);
  }
  std::vector<FoundSystem> found;
  for (auto& [system, segments] : by_system) {
    if (options.names_system && system != options.system) continue;
    const std::string folder = system == options.system ? options.runtime_directory : "";
    auto paths = director::RuntimePaths::of(system, folder);
    if (!paths) continue;  // no name that a director gives
    std::string user = who_uses(*paths, segments);
    if (user.empty() && !options.names_system) user = what_is_to_keep(*paths);
    found.push_back({std::move(*paths), std::move(segments), std::move(user)});
  }
  return found;
}

Result<std::string> remove_system(const FoundSystem& found) {
  std::optional<platform::FileLock> lock;
  std::error_code ignored;
  const bool has_folder = fs::exists(found.paths.directory, ignored);
  if (has_folder) {
    auto taken = platform::FileLock::acquire(found.paths.lock());
    if (!taken && taken.error() == Errc::already_running) return taken.error().context();
    if (!taken) return tl::unexpected(taken.error());
    lock.emplace(std::move(*taken));
  }
  const auto segments = SharedSegment::list(found.paths.segment_prefix);
  if (!segments) return tl::unexpected(segments.error());
  std::string user = who_control_names(found.paths);
  if (user.empty()) user = who_maps(*segments);
  if (!user.empty()) return user;
  for (const std::string& name : *segments) {
    auto removed = SharedSegment::unlink(name);
    if (!removed && !(removed.error() == Errc::not_found)) return tl::unexpected(removed.error());
  }
  if (has_folder) found.paths.remove();
  return std::string();
}

}  // namespace sessionblocks::ctl
