// Ordinary files that grow at their end: what logs are kept in. Not for segments.
//
// Every function is one system call or a short loop of one, retried on EINTR; nothing is cached.
// A crash leaves a prefix of what was last written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>
#include <vector>

#include "platform/unique_fd.hpp"

namespace sessionblocks::platform {

class DiskFile {
 public:
  DiskFile() noexcept = default;
  // A new file, 0600. exists: there is one of this name; otherwise what open() says.
  [[nodiscard]] static Result<DiskFile> create(const std::string& path);
  // An existing file for appending and reading.
  [[nodiscard]] static Result<DiskFile> open_append(const std::string& path);
  [[nodiscard]] static Result<DiskFile> open_read(const std::string& path);
  // An existing file for overwriting and reading.
  [[nodiscard]] static Result<DiskFile> open_write(const std::string& path);

  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(fd_); }
  // Appends up to all of `bytes` with one write(); returns how many went in. out_of_memory: the
  // disk is full; io_error: any other refusal.
  [[nodiscard]] Result<std::size_t> write_some(std::span<const std::byte> bytes);
  // Appends all of them; an error leaves a prefix.
  [[nodiscard]] Result<void> write_all(std::span<const std::byte> bytes);
  // All of them, from `offset` on; only on a file that was opened for overwriting.
  [[nodiscard]] Result<void> overwrite(std::uint64_t offset, std::span<const std::byte> bytes);
  // Fills `out` from `offset` on; returns fewer bytes only at the end of the file.
  [[nodiscard]] Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const;
  [[nodiscard]] Result<std::uint64_t> size_bytes() const;
  // Whether this file, and no other, has the name `path`.
  [[nodiscard]] bool is_at(const std::string& path) const;
  [[nodiscard]] Result<void> truncate(std::uint64_t bytes);
  // What was written survives a loss of power.
  [[nodiscard]] Result<void> sync();
  // denied: another user's, or others may read or write it; `path` is for the message.
  [[nodiscard]] Result<void> require_private(const std::string& path) const;

 private:
  explicit DiskFile(UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// Makes the folder (0700) unless it is there. denied: what is there is no folder, or another
// user's, or one that others may write: whoever can replace its files decides what they say.
[[nodiscard]] Result<void> make_folder(const std::string& path);
// Names of the regular files in a folder, sorted. not_found: no such folder.
[[nodiscard]] Result<std::vector<std::string>> list_folder(const std::string& path);
[[nodiscard]] Result<void> remove_file(const std::string& path);
// The file gets another name in the same file system, at once or not at all. exists: it is taken.
[[nodiscard]] Result<void> name_file(const std::string& from, const std::string& to);
// Names that were made or removed beside `path` survive a loss of power.
[[nodiscard]] Result<void> sync_folder_of(const std::string& path);

}  // namespace sessionblocks::platform
