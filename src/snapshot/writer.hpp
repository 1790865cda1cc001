// Writing a snapshot file, block after block. Whoever calls it gives the file its name once it is
// whole; what a crash leaves before that is a file that no reader takes for complete.
//
// Call order: begin_block, put ..., end_block, as often as there are blocks; then finish.
// Errors: out_of_memory (a full disk too), io_error, value_too_large (an entry above 1 GiB),
// corrupt (an entry that no writer makes). After one the file is of no use.
#pragma once

#include <string>

#include "platform/disk_file.hpp"
#include "snapshot/description.hpp"
#include "snapshot/entry.hpp"
#include "snapshot/frame.hpp"
#include "snapshot/keys.hpp"

namespace sessionblocks::snapshot {

// Of entries in a frame, before compression; an entry that is larger has a frame of its own.
inline constexpr std::size_t kFrameBytes = 256U << 10U;

class Writer {
 public:
  // exists: there is a file of this name.
  [[nodiscard]] static Result<Writer> create(const std::string& path, const FileDescription& file,
                                             std::size_t frame_bytes = kFrameBytes);

  [[nodiscard]] Result<void> begin_block(const BlockDescription& block, const Key& key);
  [[nodiscard]] Result<void> put(const FileEntry& entry);
  [[nodiscard]] Result<void> end_block();
  // All of it is on the disk after this.
  [[nodiscard]] Result<void> finish();

  [[nodiscard]] std::uint64_t entries() const noexcept { return entries_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  Writer(platform::DiskFile file, std::size_t frame_bytes) noexcept
      : file_(std::move(file)), frame_bytes_(frame_bytes) {}
  [[nodiscard]] Result<void> add_plain(FrameKind kind, std::span<const std::byte> payload);
  [[nodiscard]] Result<void> add_encrypted(FrameKind kind, std::span<const std::byte> plain);
  [[nodiscard]] Result<void> flush_entries();
  [[nodiscard]] Result<void> write_out();
  [[nodiscard]] FrameHeader next_header(FrameKind kind) noexcept;

  platform::DiskFile file_;
  std::size_t frame_bytes_;
  FileId id_{};
  Key key_;
  Digest description_{};
  std::uint32_t frames_ = 0;
  std::uint32_t blocks_ = 0;
  bool in_block_ = false;
  std::uint64_t block_entries_ = 0;
  std::uint64_t entries_ = 0;
  std::uint64_t bytes_ = 0;
  ByteBuffer file_text_;   // the FileDescription, which stands at both ends
  ByteBuffer block_text_;  // the same for the block at hand
  ByteBuffer plain_;
  ByteBuffer out_;
};

}  // namespace sessionblocks::snapshot
