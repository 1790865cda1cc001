// An entry on its way from one place to another: a block, a checkpoint, a file.
#pragma once

#include "lockfree/racy_copy.hpp"
#include "segment/chain.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace sessionblocks::segment {

struct EntryBytes {
  std::span<const std::byte> key;
  layout::ValueType type{};
  std::span<const std::byte> value;
  std::uint64_t version = 0;     // 0: the next one that the block gives
  std::uint64_t expiry_ms = 0;   // CLOCK_MONOTONIC; 0: never
  std::uint64_t written_ms = 0;  // the same clock, when this version was; 0: now
};

// All of a version but its key, copied out of a block that may change meanwhile.
class EntryCopy {
 public:
  void take(const Version& version) {
    const std::uint64_t bytes = version.shape.value_bytes;
    value_.resize((bytes + 7) & ~std::uint64_t{7});  // copy_out reads whole words
    copy_out(value_.data(),
             reinterpret_cast<const std::byte*>(version.node) + version.shape.value_at(), bytes);
    entry.type = version.shape.type;
    entry.value = {value_.data(), bytes};
    entry.version = version.node->version.load(std::memory_order_relaxed);
    entry.written_ms = version.stamp.written_ms;
    entry.expiry_ms = version.node->expiry_ms.load(std::memory_order_relaxed);
  }

  EntryBytes entry;

 private:
  std::vector<std::byte> value_;
};

}  // namespace sessionblocks::segment
