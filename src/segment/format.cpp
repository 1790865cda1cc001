#include "segment/format.hpp"

#include "segment/block_memory.hpp"

#include <bit>
#include <string>

namespace sessionblocks::segment {

using layout::BlockHeader;
using layout::Magic;
using layout::PageEntry;
using layout::PageKind;
using layout::TableWord;

Result<void> format_block(std::span<std::byte> memory, BlockId id, Generation generation,
                          std::uint64_t hash_seed, std::uint32_t first_table_id) {
  if (memory.size() < layout::kMinBlockBytes) {
    return fail(Errc::invalid_argument,
                "a block needs at least " + std::to_string(layout::kMinBlockBytes) + " bytes");
  }
  BlockMemory block(memory.data(), memory.size(), nullptr, nullptr);
  BlockHeader& header = block.header();
  header.block_id = raw(id);
  header.generation = raw(generation);
  header.hash_seed = hash_seed;
  const auto relaxed = std::memory_order_relaxed;  // nobody else has the segment yet
  header.snapshot_clock.store(1, relaxed);
  header.next_thread_number.store(1, relaxed);
  header.version_floor.store(1, relaxed);
  header.page_watermark.store(kFirstPages, relaxed);

  auto* slots = reinterpret_cast<layout::Slot*>(block.page_bytes(0));
  for (std::uint64_t i = 0; i < std::uint64_t{1} << layout::kMinTableLog2; ++i) {
    slots[i].low.store(layout::kEmptyRef, relaxed);
    slots[i].high.store(std::uint64_t{first_table_id} << 32U, relaxed);
  }
  block.descriptor(0).run_pages.store(1, relaxed);
  block.descriptor(0).run_head.store(first_table_id, relaxed);
  block.descriptor(0).entry.store(PageEntry{PageKind::table_head, 0, 1, OwnerId{}}.pack(), relaxed);
  header.table.store(TableWord::make(first_table_id, layout::kMinTableLog2, 0).word, relaxed);
  header.old_table.store(TableWord::idle(first_table_id).word, relaxed);
  header.identity = layout::identity(Magic::block, memory.size());
  return {};
}

void format_readers(std::span<std::byte> memory, BlockId id, Generation generation) {
  auto& readers = *reinterpret_cast<layout::ReadersSegment*>(memory.data());
  readers.block_id = raw(id);
  readers.generation = raw(generation);
  readers.identity = layout::identity(Magic::readers, memory.size());
}

Result<void> format_worker(std::span<std::byte> memory, WorkerId worker,
                           std::uint64_t ring_records) {
  if (!std::has_single_bit(ring_records) || ring_records < layout::kMinRingRecords) {
    return fail(Errc::invalid_argument, "ring_records is a power of two of at least " +
                                            std::to_string(layout::kMinRingRecords));
  }
  if (memory.size() < layout::worker_bytes(ring_records)) {
    return fail(Errc::invalid_argument, "the worker segment is too small for its rings");
  }
  auto& header = *reinterpret_cast<layout::WorkerHeader*>(memory.data());
  header.worker_id = raw(worker);
  header.lanes = layout::kLanes;
  header.ring_records = ring_records;
  header.identity = layout::identity(Magic::worker, memory.size());
  return {};
}

Result<void> check_identity(const layout::Identity& identity, Magic magic) {
  if (identity.magic != static_cast<std::uint64_t>(magic)) {
    return fail(Errc::malformed, "not a segment of this kind (magic)");
  }
  if (identity.major == layout::kLayoutMajor && identity.layout_hash == layout::layout_hash()) {
    return {};
  }
  const auto version = [](unsigned major, unsigned minor) {
    return std::to_string(major) + "." + std::to_string(minor);
  };
  return fail(Errc::layout_mismatch,
              "the segment has layout " + version(identity.major, identity.minor) +
                  ", this build " + version(layout::kLayoutMajor, layout::kLayoutMinor) +
                  (identity.major == layout::kLayoutMajor ? " with other struct sizes" : ""));
}

}  // namespace sessionblocks::segment
