#include "director/state_folder.hpp"

#include <fstream>

#include "platform/disk_file.hpp"
#include "platform/os_error.hpp"
#include "platform/random.hpp"

namespace sessionblocks::director {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUnfinishedPrefix = ".sbsnap-";
constexpr std::string_view kSuffix = ".sbsnap";

}  // namespace

fs::path StateFolder::snapshot(std::string_view name) const {
  return snapshots() / (std::string(name) + std::string(kSuffix));
}

Result<std::vector<std::string>> StateFolder::snapshot_names() const {
  auto files = platform::list_folder(snapshots().native());
  if (!files && files.error() == Errc::not_found) return std::vector<std::string>();
  if (!files) return files;
  std::vector<std::string> names;
  for (const std::string& file : *files) {
    const bool is_one = file.size() > kSuffix.size() && file.ends_with(kSuffix) && file[0] != '.';
    if (is_one) names.push_back(file.substr(0, file.size() - kSuffix.size()));
  }
  return names;
}

Result<void> StateFolder::make() const {
  if (auto made = platform::make_folder(folder_.native()); !made) return made;
  return platform::make_folder(snapshots().native());
}

Result<void> StateFolder::lead_to(const fs::path& folder) const {
  std::error_code error;
  const fs::path target = fs::absolute(folder, error);
  if (auto made = platform::make_folder(target.native()); !made) return made;
  if (fs::is_symlink(folder_, error)) fs::remove(folder_, error);
  if (fs::equivalent(folder_, target, error)) return {};
  fs::create_directory_symlink(target, folder_, error);
  if (!error) return {};
  return tl::unexpected(
      platform::os_error(error.value(), "make a link to the state folder", folder_.native()));
}

Result<fs::path> StateFolder::begin(const fs::path& final) const {
  const auto random = platform::random_u64();
  if (!random) return tl::unexpected(random.error());
  const fs::path beside =
      final.parent_path() / (std::string(kUnfinishedPrefix) + std::to_string(*random));
  remove_unfinished();
  auto record = platform::DiskFile::create(unfinished().native());
  if (!record) return tl::unexpected(record.error());
  auto said = record->write_all(std::as_bytes(std::span(beside.native())));
  if (said) said = record->sync();
  if (said) said = platform::sync_folder_of(unfinished().native());
  if (!said) return tl::unexpected(said.error());
  return beside;
}

void StateFolder::remove_unfinished() const noexcept {
  try {
    std::ifstream record(unfinished(), std::ios::binary);
    const std::string path{std::istreambuf_iterator<char>(record), {}};
    std::error_code ignored;
    // One that was cut off itself names nothing that was made.
    const bool is_ours = fs::path(path).filename().native().starts_with(kUnfinishedPrefix);
    if (is_ours) fs::remove(path, ignored);
    fs::remove(unfinished(), ignored);
  } catch (...) {  // no memory for a path: the next one removes it
    return;
  }
}

}  // namespace sessionblocks::director
