// The data plane of src/segment behind the director's interface.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "director/data_plane.hpp"
#include "segment/damage.hpp"
#include "segment/format.hpp"
#include "segment/maintenance.hpp"
#include "segment/recovery.hpp"
#include "segment/settle.hpp"

namespace sessionblocks::director {
namespace {

namespace data = sessionblocks::segment;

layout::ReadersSegment& readers_in(const BlockMemory& memory) {
  return *reinterpret_cast<layout::ReadersSegment*>(memory.readers.data());
}

// A block as the data plane sees it, as long as the director has it mapped.
struct Mapped {
  explicit Mapped(const BlockMemory& memory)
      : reserved(memory.reserved),
        block(memory.block.data(), memory.block.size(), reserved.get(), memory.populate) {}

  std::shared_ptr<const std::atomic<std::uint64_t>> reserved;
  data::BlockMemory block;
  std::unique_ptr<data::Maintenance> maintenance;  // made when it is first needed
  std::optional<data::DamageSearch> search;        // under way
};

// The holders as the data plane takes them, with what they point to.
struct Sources {
  explicit Sources(std::span<const Holder> holders) {
    memories.reserve(holders.size());
    for (const Holder& holder : holders) {
      memories.emplace_back(holder.worker.segment.data(), holder.worker.ring_records);
      intents.push_back({&memories.back(), static_cast<std::uint16_t>(holder.open)});
    }
  }
  std::vector<data::WorkerMemory> memories;
  std::vector<data::IntentSource> intents;
};

class SegmentDataPlane final : public DataPlane {
 public:
  Result<void> format_block(const BlockMemory& memory, std::uint64_t hash_seed,
                            std::uint32_t first_table_id) override {
    data::format_readers(memory.readers, memory.id, memory.generation);
    return data::format_block(memory.block, memory.id, memory.generation, hash_seed,
                              first_table_id);
  }

  Result<void> format_worker(const WorkerMemory& memory) override {
    return data::format_worker(memory.segment, memory.id, memory.ring_records);
  }

  std::uint64_t used_bytes(const BlockMemory& memory) override {
    const data::BlockMemory& block = mapped(memory).block;
    // Relaxed: a hint, bounded here.
    const std::uint64_t pages = block.header().page_watermark.load(std::memory_order_relaxed);
    return block.geometry().page_at(std::min(pages, block.page_count()));
  }

  Result<void> settle(const BlockMemory& memory, std::span<const Holder> holders) override {
    const Sources sources(holders);
    return data::settle(mapped(memory).block, sources.intents);
  }

  RecoveryReport recover(const WorkerMemory& worker, std::span<const WorkerOpen> opens) override {
    const data::WorkerMemory dead(worker.segment.data(), worker.ring_records);
    RecoveryReport report;
    for (const WorkerOpen& open : opens) {
      auto& readers = readers_in(open.memory);
      if (open.rights != sessionblocks::Rights::read_write) {
        data::release_readers(readers, worker.id);
        continue;
      }
      const data::RecoveryReport one =
          data::recover_in_block(dead, worker.id,
                                 {.memory = &mapped(open.memory).block,
                                  .readers = &readers,
                                  .open = static_cast<std::uint16_t>(open.open),
                                  .audited = open.memory.audited});
      report.committed += one.committed;
      report.undone += one.undone;
      report.refused += one.forged;
    }
    return report;
  }

  bool maintain(const BlockMemory& memory, const WorkerMemory& own,
                std::span<const Holder> holders) override {
    const Sources sources(holders);
    return maintenance(memory, own).run(sources.intents);
  }

  Result<std::uint64_t> take_checkpoint(const BlockMemory& memory, const WorkerMemory& own,
                                        std::span<const Holder> holders) override {
    const Sources sources(holders);
    return maintenance(memory, own).checkpoints().take(sources.intents);
  }

  Result<void> keep_checkpoints(const BlockMemory& memory, const WorkerMemory& own,
                                std::span<const std::uint64_t> instants,
                                std::span<const Holder> holders) override {
    const Sources sources(holders);
    return maintenance(memory, own).checkpoints().keep_only(instants, sources.intents);
  }

  Examined examine(const BlockMemory& memory, std::uint64_t most_slots) override {
    Mapped& block = mapped(memory);
    if (!block.search) block.search.emplace(block.block);
    const auto step = block.search->look(most_slots);
    Examined examined{step != data::DamageSearch::Step::more, std::string(block.search->what())};
    if (examined.is_over) block.search.reset();
    return examined;
  }

  void forget(BlockId block, Generation generation) override { mapped_.erase({block, generation}); }

 private:
  Mapped& mapped(const BlockMemory& memory) {
    auto& found = mapped_[{memory.id, memory.generation}];
    if (!found) found = std::make_unique<Mapped>(memory);
    return *found;
  }

  // `own`: of the director, for as long as it has the block.
  data::Maintenance& maintenance(const BlockMemory& memory, const WorkerMemory& own) {
    Mapped& block = mapped(memory);
    if (!block.maintenance) {
      const data::WorkerMemory ours(own.segment.data(), own.ring_records);
      block.maintenance =
          std::make_unique<data::Maintenance>(data::MaintenancePlace{.memory = &block.block,
                                                                     .readers = &readers_in(memory),
                                                                     .lane = &ours.lane(0),
                                                                     .open = 0,
                                                                     .owner = owner_of(own.id, 0)});
    }
    return *block.maintenance;
  }

  std::map<std::pair<BlockId, Generation>, std::unique_ptr<Mapped>> mapped_;
};

}  // namespace

std::unique_ptr<DataPlane> make_segment_data_plane() {
  return std::make_unique<SegmentDataPlane>();
}

}  // namespace sessionblocks::director
