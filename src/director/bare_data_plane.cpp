#include <algorithm>
#include <memory>

#include "director/data_plane.hpp"
#include "layout/block.hpp"
#include "layout/layout_hash.hpp"
#include "layout/readers.hpp"
#include "layout/worker.hpp"

namespace sessionblocks::director {
namespace {

class BareGeneration final : public NextGeneration {
 public:
  Result<void> advance(const Moment&) override { return {}; }
  Result<void> advance_and_pin(const Moment&) override { return {}; }
  Result<void> change_back_from(const Moment&) override { return {}; }
  Result<void> change(const EntryBytes&) override { return {}; }
  Result<void> remove(std::span<const std::byte>) override { return {}; }
  void end() override {}
};

class BareDataPlane final : public DataPlane {
 public:
  Result<void> format_block(const BlockMemory& memory, std::uint64_t hash_seed,
                            std::uint32_t first_table_id) override {
    auto& header = *reinterpret_cast<layout::BlockHeader*>(memory.block.data());
    header.block_id = raw(memory.id);
    header.generation = raw(memory.generation);
    header.hash_seed = hash_seed;
    header.old_table.store(layout::TableWord::idle(first_table_id).word, std::memory_order_relaxed);
    header.identity = layout::identity(layout::Magic::block, memory.block.size());
    auto& readers = *reinterpret_cast<layout::ReadersSegment*>(memory.readers.data());
    readers.block_id = raw(memory.id);
    readers.generation = raw(memory.generation);
    readers.identity = layout::identity(layout::Magic::readers, memory.readers.size());
    return {};
  }

  Result<void> format_worker(const WorkerMemory& memory) override {
    auto& header = *reinterpret_cast<layout::WorkerHeader*>(memory.segment.data());
    header.worker_id = raw(memory.id);
    header.lanes = layout::kLanes;
    header.ring_records = memory.ring_records;
    header.identity = layout::identity(layout::Magic::worker, memory.segment.size());
    return {};
  }

  std::uint64_t used_bytes(const BlockMemory& memory) override {
    const auto& header = *reinterpret_cast<const layout::BlockHeader*>(memory.block.data());
    const auto geometry = layout::Geometry::of(memory.block.size());
    // Relaxed: a hint, bounded here.
    const std::uint64_t pages = header.page_watermark.load(std::memory_order_relaxed);
    return geometry.page_at(std::min(pages, geometry.page_count));
  }

  Result<void> settle(const BlockMemory&, std::span<const Holder>) override { return {}; }
  RecoveryReport recover(const WorkerMemory&, std::span<const WorkerOpen>) override { return {}; }
  bool maintain(const BlockMemory&, const WorkerMemory&, std::span<const Holder>) override {
    return false;
  }
  Examined examine(const BlockMemory&, std::uint64_t) override { return {}; }
  Result<std::uint64_t> take_checkpoint(const BlockMemory&, const WorkerMemory&,
                                        std::span<const Holder>) override {
    return fail(Errc::unsupported, "a data plane without memory");
  }
  Result<void> keep_checkpoints(const BlockMemory&, const WorkerMemory&,
                                std::span<const std::uint64_t>, std::span<const Holder>) override {
    return {};
  }
  Result<void> show_at(const BlockMemory&, const Moment&, const TakeEntry&) override { return {}; }
  bool is_unchanged_since(const BlockMemory&, std::uint64_t) override { return true; }
  Result<void> fill(const FillPlace&, const EntrySource&) override {
    return fail(Errc::unsupported, "a data plane without memory");
  }
  std::unique_ptr<NextGeneration> next_generation(const BlockMemory&, const FillPlace&,
                                                  Room) override {
    return std::make_unique<BareGeneration>();
  }
  Result<MergeReport> merge(const MergePlan&, NextGeneration*) override { return MergeReport{}; }
  void forget(BlockId, Generation) override {}
};

}  // namespace

std::unique_ptr<DataPlane> make_bare_data_plane() {
  return std::make_unique<BareDataPlane>();
}

}  // namespace sessionblocks::director
