// Making the segments of a block and of a worker in fresh, zeroed memory; and recognising them.
#pragma once

#include <sessionblocks/error.hpp>

#include "core/ids.hpp"
#include "layout/layout_hash.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace sessionblocks::segment {

// Bytes at the start of a block segment that must be present before format_block touches them,
// and the pages (from page 0) that must be: the header, the page table's first lines, one table.
inline constexpr std::uint64_t kFirstPages = 1;

// invalid_argument: `memory` is smaller than layout::kMinBlockBytes.
[[nodiscard]] Result<void> format_block(std::span<std::byte> memory, BlockId id,
                                        Generation generation, std::uint64_t hash_seed,
                                        std::uint32_t first_table_id);
void format_readers(std::span<std::byte> memory, BlockId id, Generation generation);
// invalid_argument: ring_records is not a power of two of at least kMinRingRecords.
[[nodiscard]] Result<void> format_worker(std::span<std::byte> memory, WorkerId worker,
                                         std::uint64_t ring_records);

// malformed: another magic; layout_mismatch: another layout, both versions named.
[[nodiscard]] Result<void> check_identity(const layout::Identity& identity, layout::Magic magic);

}  // namespace sessionblocks::segment
