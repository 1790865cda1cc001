// Reading a snapshot file that may be damaged, cut off or made by somebody else.
//
// What it does: looks at every frame once, names those that do not hold, and gives what can be read
// of each block. A damaged frame costs the entries in it: descriptions stand twice, and the frames
// behind it are found by their beginning. What it does not: trust a length before it is bounded,
// or decompress what was not authenticated.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/disk_file.hpp"
#include "snapshot/description.hpp"
#include "snapshot/entry.hpp"
#include "snapshot/frame.hpp"
#include "snapshot/keys.hpp"

namespace sessionblocks::snapshot {

struct Damage {
  std::uint64_t offset = 0;  // of the frame, or of where one should begin
  std::uint32_t frame = 0;
  std::uint32_t number = kNoBlock;  // of the block in the file
  std::string block;                // its name, if that can be read
  std::string what;

  [[nodiscard]] std::string text() const;  // one line
};

struct BlockInFile {
  BlockDescription description;
  std::uint64_t bytes = 0;  // of its frames
};

class Reader {
 public:
  // not_found; malformed: no frame of a snapshot in it; unsupported: of a later version.
  [[nodiscard]] static Result<Reader> open(const std::string& path);
  // What it says of itself, without a look at its entries: quick, however large it is. read()
  // looks at them all the same.
  [[nodiscard]] static Result<Reader> outline(const std::string& path);

  // None: both copies are damaged.
  [[nodiscard]] const std::optional<FileDescription>& file() const noexcept { return file_; }
  [[nodiscard]] const std::vector<BlockInFile>& blocks() const noexcept { return blocks_; }
  [[nodiscard]] const std::vector<Damage>& damage() const noexcept { return damage_; }

  // Damage::number of blocks()[index].
  [[nodiscard]] std::uint32_t number(std::size_t index) const { return numbers_.at(index); }

  // The block of this name, or "#ID"; without a name the only one. no_such_block;
  // invalid_argument: several, all are listed.
  [[nodiscard]] Result<std::size_t> find(std::string_view name) const;
  // How many entries it says that blocks()[index] has, without reading them. corrupt: it does not
  // say, or not with this key.
  [[nodiscard]] Result<std::uint64_t> entries(std::size_t index, const Key& key) const;
  // Hands out every entry that can be read of blocks()[index], each once; what cannot is added to
  // damage(). An error of `take` ends it.
  [[nodiscard]] Result<void> read(std::size_t index, const Key& key, const TakeFileEntry& take);

 private:
  struct FrameAt {
    std::uint64_t offset = 0;
    FrameHeader header;
  };
  struct Found {
    std::optional<BlockDescription> description;
    Digest digest{};
    std::vector<FrameAt> encrypted;
    std::uint64_t bytes = 0;
  };

  Reader(platform::DiskFile disk, std::uint64_t size) noexcept
      : disk_(std::move(disk)), size_(size) {}
  [[nodiscard]] Result<void> scan();
  [[nodiscard]] Result<std::uint64_t> pass_damage(std::uint64_t offset, bool is_cut);
  enum class Look : std::uint8_t { whole, damaged, cut };
  [[nodiscard]] Look look_at(std::uint64_t offset, FrameHeader& header,
                             std::vector<std::byte>& payload) const;
  [[nodiscard]] std::uint64_t next_frame(std::uint64_t from) const;
  [[nodiscard]] Result<void> take_frame(const FrameAt& frame, std::span<const std::byte> payload);
  void add_damage(std::uint64_t offset, std::uint32_t frame, std::uint32_t block, std::string what);
  void keep_described();

  [[nodiscard]] static Result<Reader> scanned(const std::string& path, bool skips_entries);

  platform::DiskFile disk_;
  std::uint64_t size_;
  bool skips_entries_ = false;       // while it scans
  std::optional<FrameHeader> last_;  // of the whole frames so far
  std::optional<FileDescription> file_;
  std::map<std::uint32_t, Found> found_;  // by number in the file
  std::vector<std::uint32_t> numbers_;    // of blocks_
  std::vector<BlockInFile> blocks_;
  std::vector<Damage> damage_;
};

}  // namespace sessionblocks::snapshot
