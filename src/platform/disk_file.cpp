#include "platform/disk_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "platform/os_error.hpp"

namespace sessionblocks::platform {

namespace {
Result<UniqueFd> open_path(const std::string& path, int flags) {
  const int fd = retry_on_eintr([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0600); });
  if (fd < 0) return fail_errno("open", path);
  return UniqueFd(fd);
}
}  // namespace

Result<DiskFile> DiskFile::create(const std::string& path) {
  return open_path(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW).map([](UniqueFd fd) {
    return DiskFile(std::move(fd));
  });
}

Result<DiskFile> DiskFile::open_append(const std::string& path) {
  return open_path(path, O_RDWR | O_APPEND | O_NOFOLLOW).map([](UniqueFd fd) {
    return DiskFile(std::move(fd));
  });
}

Result<DiskFile> DiskFile::open_read(const std::string& path) {
  return open_path(path, O_RDONLY).map([](UniqueFd fd) { return DiskFile(std::move(fd)); });
}

Result<DiskFile> DiskFile::open_write(const std::string& path) {
  return open_path(path, O_RDWR | O_NOFOLLOW).map([](UniqueFd fd) {
    return DiskFile(std::move(fd));
  });
}

Result<std::size_t> DiskFile::write_some(std::span<const std::byte> bytes) {
  const ssize_t done =
      retry_on_eintr([&] { return ::write(fd_.get(), bytes.data(), bytes.size()); });
  if (done < 0) return fail_errno("write");
  return static_cast<std::size_t>(done);
}

Result<void> DiskFile::write_all(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto done = write_some(bytes);
    if (!done) return tl::unexpected(done.error());
    bytes = bytes.subspan(*done);
  }
  return {};
}

Result<void> DiskFile::overwrite(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = retry_on_eintr([&] {
      return ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    });
    if (done < 0) return fail_errno("write");
    offset += static_cast<std::uint64_t>(done);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return {};
}

Result<std::size_t> DiskFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t count = retry_on_eintr([&] {
      return ::pread(fd_.get(), out.data() + done, out.size() - done,
                     static_cast<off_t>(offset + done));
    });
    if (count < 0) return fail_errno("read");
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Result<std::uint64_t> DiskFile::size_bytes() const {
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) return fail_errno("fstat");
  return static_cast<std::uint64_t>(info.st_size);
}

bool DiskFile::is_at(const std::string& path) const {
  struct stat held {};
  struct stat named {};
  return ::fstat(fd_.get(), &held) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

Result<void> DiskFile::truncate(std::uint64_t bytes) {
  const auto size = static_cast<off_t>(bytes);
  if (retry_on_eintr([&] { return ::ftruncate(fd_.get(), size); }) != 0) {
    return fail_errno("ftruncate");
  }
  return {};
}

Result<void> DiskFile::sync() {
  if (retry_on_eintr([&] { return ::fdatasync(fd_.get()); }) != 0) return fail_errno("fdatasync");
  return {};
}

Result<void> DiskFile::require_private(const std::string& path) const {
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) return fail_errno("look at", path);
  if (info.st_uid == ::geteuid() && (info.st_mode & 0077U) == 0) return {};
  return fail(Errc::denied, path + ": must be this user's alone, mode 0600");
}

Result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("make folder", path);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return fail_errno("look at folder", path);
  if (!S_ISDIR(info.st_mode)) return fail(Errc::denied, "folder " + path + ": it is a file");
  if (info.st_uid != ::geteuid()) {
    return fail(Errc::denied, "folder " + path + " belongs to user " + std::to_string(info.st_uid) +
                                  ", not to this one");
  }
  if ((info.st_mode & 0022U) != 0) {
    return fail(Errc::denied, "folder " + path + " may be written by others");
  }
  return {};
}

Result<std::vector<std::string>> list_folder(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator at(path, error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    std::error_code ignored;
    if (at->is_regular_file(ignored)) names.push_back(at->path().filename().string());
  }
  if (error) return tl::unexpected<Error>(os_error(error.value(), "list", path));
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> name_file(const std::string& from, const std::string& to) {
  const int named = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  return named == 0 ? Result<void>() : fail_errno("make", to);
}

Result<void> sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const UniqueFd fd(
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno("open", folder);
  if (retry_on_eintr([&] { return ::fsync(fd.get()); }) != 0) return fail_errno("fsync", folder);
  return {};
}

Result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return fail_errno("unlink", path);
  return {};
}

}  // namespace sessionblocks::platform
