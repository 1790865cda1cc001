// What a snapshot file says of itself and of each block in it. Not encrypted: `snapshot info` needs
// no key. The cipher binds a block's entries to its description, so that neither goes with
// another's (cipher.hpp).
#pragma once

#include <array>
#include <cstdint>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/ids.hpp"
#include "core/words.hpp"

namespace sessionblocks::snapshot {

using SystemInstance = std::array<std::byte, 16>;
using KeyId = std::array<std::uint8_t, 16>;

struct FileDescription {
  std::string system;
  SystemInstance instance{};
  std::string of;  // what was asked for: a scope's path; empty: one block
  std::uint32_t blocks = 0;
  // Whether one instant shows all of them: nothing was committed to any of them between the
  // first checkpoint and the last.
  bool is_exact = true;
  std::uint64_t taken_unix_ms = 0;      // the first block's instant
  std::vector<std::string> left_out{};  // blocks that do not permit it

  void encode(ByteBuffer& out) const;
  // malformed: not one.
  [[nodiscard]] static Result<FileDescription> decode(std::span<const std::byte> bytes);
};

struct BlockDescription {
  BlockId id{};
  Generation generation{};
  std::string name;
  BlockKind kind{};
  AuditLevel audit{};
  std::string owner;  // its path
  std::uint64_t quota_bytes = 0;
  std::uint32_t permits = 0;             // as BlockRow has them
  std::vector<std::string> sensitive{};  // patterns over its keys
  std::uint64_t instant = 0;             // of the block's own clock
  std::uint64_t taken_unix_ms = 0;       // what expiries are counted from
  KeyId key{};

  void encode(ByteBuffer& out) const;
  [[nodiscard]] static Result<BlockDescription> decode(std::span<const std::byte> bytes);
};

}  // namespace sessionblocks::snapshot
