// Values in the log: what a change made of its entry, in blocks that log values, encrypted with the
// block's key (snapshot/keys.hpp). A wipe destroys that key.
//
// A values frame stands before the records frame whose values it holds, and starts with the same
// cell; there is one for each block. Its payload:
//
//   block, generation | key id (16) | nonce (24) | XChaCha20-Poly1305 of the rows, and its tag (16)
//
// A row: number of the record's first cell, counted from the frame's; expiry; bytes kept of the
// value before; type; bytes. Authenticated with it: kind, lane, worker, first, rows, and block.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <sessionblocks/error.hpp>
#include <string>
#include <vector>

#include "flowlog/frame.hpp"
#include "flowlog/log_record.hpp"
#include "layout/worker.hpp"
#include "snapshot/keys.hpp"

namespace sessionblocks::flowlog {

// The new value is the first `kept_bytes` of the one before, then `bytes`.
struct LoggedValue {
  std::uint8_t type = 0;        // layout::ValueType
  std::uint64_t expiry_ms = 0;  // CLOCK_MONOTONIC_COARSE; 0: never
  std::uint64_t kept_bytes = 0;
  std::string bytes;
};

// The keys of blocks that log values. Any thread; one that encrypts keeps others from taking the
// key away meanwhile.
class ValueKeys {
 public:
  void set(BlockId block, const snapshot::Key& key);
  void forget(BlockId block);
  // False: there is none.
  [[nodiscard]] bool use(BlockId block, const std::function<void(const snapshot::Key&)>& use) const;

 private:
  mutable std::mutex mutex_;
  std::map<BlockId, snapshot::Key> keys_;
};

// The rows of one block in one batch of records.
class ValueRows {
 public:
  // `offset`: of the record's first cell, from that of the frame.
  void add(std::uint64_t offset, const layout::ValueDetail& detail,
           std::span<const std::byte> bytes);
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return rows_.bytes(); }

 private:
  ByteBuffer rows_;
  std::uint32_t count_ = 0;
};

// Appends the payload of the frame with this header, but for its sizes. io_error: no random
// numbers.
[[nodiscard]] Result<void> seal_values(ByteBuffer& out, const FrameHeader& header, BlockRef block,
                                       const snapshot::Key& key, const ValueRows& rows);

struct SealedValues {
  BlockRef block;
  snapshot::KeyId key{};
  std::span<const std::byte> nonce;
  std::span<const std::byte> sealed;
};
// False: malformed.
[[nodiscard]] bool read_values(std::span<const std::byte> payload, SealedValues& out) noexcept;
// By the first cell of their records. corrupt: another key's, or altered.
[[nodiscard]] Result<std::map<std::uint64_t, LoggedValue>> open_values(const FrameHeader& header,
                                                                       const SealedValues& values,
                                                                       const snapshot::Key& key);

}  // namespace sessionblocks::flowlog
