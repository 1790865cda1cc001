// Frames: what a snapshot file is made of, one after the other, nothing between them.
//
//   0       4      5         6   8        12      16        20      24        40         72
//   | magic | kind | version | 0 | number | block | payload | plain | file id | checksum | payload
//
// checksum: BLAKE2b-256 of the header before it and the payload; finds what a disk or a crash did.
// What a person did is found by the cipher of the encrypted frames (cipher.hpp).
// All numbers are little-endian. Nothing here makes a system call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/bytes.hpp"

namespace sessionblocks::snapshot {

using FileId = std::array<std::uint8_t, 16>;
using Digest = std::array<std::uint8_t, 32>;

inline constexpr std::uint32_t kFrameMagic = 0x31534253;  // "SBS1"
inline constexpr std::uint8_t kFormatVersion = 1;
inline constexpr std::uint32_t kMaxPayloadBytes = 0x4000'1000;  // 1 GiB and what wraps it
inline constexpr std::uint32_t kNoBlock = 0xFFFF'FFFF;

enum class FrameKind : std::uint8_t {
  file_begin = 1,   // FileDescription
  block_begin = 2,  // BlockDescription
  entries = 3,      // encrypted: whole entries, compressed
  totals = 4,       // encrypted: how many entries the block has
  block_end = 5,    // the BlockDescription again: either is enough
  file_end = 6,     // the FileDescription again
};

struct FrameHeader {
  std::uint32_t magic = kFrameMagic;
  FrameKind kind = FrameKind::file_begin;
  std::uint8_t version = kFormatVersion;
  std::uint16_t unused = 0;
  std::uint32_t number = 0;        // of the frame in its file
  std::uint32_t block = kNoBlock;  // of the block in its file
  std::uint32_t payload_bytes = 0;
  std::uint32_t plain_bytes = 0;  // encrypted frames: before compression
  FileId file{};
  Digest checksum{};
};
static_assert(sizeof(FrameHeader) == 72 && offsetof(FrameHeader, number) == 8);
static_assert(offsetof(FrameHeader, file) == 24 && offsetof(FrameHeader, checksum) == 40);

[[nodiscard]] Digest digest_of(std::span<const std::byte> bytes) noexcept;

// Appends the frame; payload_bytes and checksum are filled in.
void append_frame(ByteBuffer& out, FrameHeader header, std::span<const std::byte> payload);

// Whether the header is that of a frame, whose payload may follow.
[[nodiscard]] bool is_frame(const FrameHeader& header) noexcept;
[[nodiscard]] bool checksum_holds(const FrameHeader& header,
                                  std::span<const std::byte> payload) noexcept;

}  // namespace sessionblocks::snapshot
