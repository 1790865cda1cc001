// Frames: what a log file is made of, one after the other, nothing between them.
//
//   0       4      5         6      8        12        16      24      28        32
//   | magic | kind | version | lane | worker | payload | first | cells | records | time ms ...
//   32        40                48         56           88
//   | time ms | realtime offset | checksum | chain (32) | payload ...
//
// checksum: XXH3 of the header before it and the payload; finds what a disk or a crash did.
// chain: BLAKE2b-256 of the previous frame's chain, the header before the chain, and the payload;
// finds what a person did. The first frame of a file follows the chain that its payload states.
// All numbers are little-endian. Nothing here makes a system call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/bytes.hpp"

namespace sessionblocks::flowlog {

using Chain = std::array<unsigned char, 32>;

inline constexpr std::uint32_t kFrameMagic = 0x31464C53;  // "SLF1"
inline constexpr std::uint8_t kFormatVersion = 1;
inline constexpr std::uint32_t kMaxPayloadBytes = 64U << 20U;

enum class FrameKind : std::uint8_t {
  file_begin = 1,  // LogIdentity: which log, which file, the chain that it follows
  state = 2,       // LogState: what a reader must know who starts with this file
  records = 3,     // records of one lane: first is the index of the first ring cell
  keys = 4,        // the bytes behind key ids that this file names
  note = 5,        // what the director did, and names; first is the number of the note
  gap = 6,         // ring cells of a lane that were counted instead of kept
  checkpoint = 7,  // a signature over the chain so far
  values = 8,      // what records of the next frame carried, encrypted (values.hpp)
};

struct FrameHeader {
  std::uint32_t magic = kFrameMagic;
  FrameKind kind = FrameKind::note;
  std::uint8_t version = kFormatVersion;
  std::uint16_t lane = 0;
  std::uint32_t worker = 0;
  std::uint32_t payload_bytes = 0;
  std::uint64_t first = 0;
  std::uint32_t cells = 0;    // ring cells that the frame covers
  std::uint32_t records = 0;  // records (or rows) in the payload
  std::uint64_t time_ms = 0;  // CLOCK_MONOTONIC_COARSE of the first record
  std::int64_t realtime_offset_ms = 0;
  std::uint64_t checksum = 0;
  Chain chain{};
};
static_assert(sizeof(FrameHeader) == 88 && offsetof(FrameHeader, payload_bytes) == 12);
static_assert(offsetof(FrameHeader, checksum) == 48 && offsetof(FrameHeader, chain) == 56);

// Room for a header at the end of `out`; the payload is appended behind it. Returns its place.
[[nodiscard]] std::size_t begin_frame(ByteBuffer& out);
// Completes the frame that began at `place` and ends at the end of `out`; `chain` is the previous
// frame's and becomes this one's.
void end_frame(ByteBuffer& out, std::size_t place, FrameHeader header, Chain& chain);

enum class FrameState : std::uint8_t {
  whole,      // checksum holds; the chain is not checked
  torn,       // the bytes end before the frame does
  malformed,  // not a frame, or its checksum does not hold
};

struct Frame {
  FrameHeader header;
  std::span<const std::byte> payload;  // into the bytes that were given
};

// The frame at the start of `bytes`, which reach to the end of what there is.
[[nodiscard]] FrameState read_frame(std::span<const std::byte> bytes, Frame& frame) noexcept;
// Whether the frame follows `previous`.
[[nodiscard]] bool chain_holds(const Frame& frame, const Chain& previous) noexcept;

}  // namespace sessionblocks::flowlog
