// The data plane of src/segment behind the director's interface.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "director/data_plane.hpp"
#include "segment/damage.hpp"
#include "segment/format.hpp"
#include "segment/last_record.hpp"
#include "segment/maintenance.hpp"
#include "segment/rebuild.hpp"
#include "segment/recovery.hpp"
#include "segment/settle.hpp"

namespace sessionblocks::director {
namespace {

namespace data = sessionblocks::segment;

layout::ReadersSegment& readers_in(const BlockMemory& memory) {
  return *reinterpret_cast<layout::ReadersSegment*>(memory.readers.data());
}

// Pages are given back from the first to the last.
bool has_pages(const BlockMemory& memory) {
  if (memory.block.empty()) return false;
  const auto& header = *reinterpret_cast<const layout::BlockHeader*>(memory.block.data());
  return header.identity.magic == static_cast<std::uint64_t>(layout::Magic::block);
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

Result<void> outcome_of(Errc code, const BlockMemory& memory, std::string_view what) {
  if (code == Errc{}) return {};
  return fail(code, std::string(what) + " block #" + std::to_string(raw(memory.id)));
}

// A loader with what it needs: the lane of ours whose ring the log reads.
struct Filling {
  Filling(data::BlockMemory& memory, const FillPlace& place)
      : own(place.own.segment.data(), place.own.ring_records),
        ring(own.lane(0), own.ring(0), place.own.ring_records),
        loader({&memory,
                &readers_in(place.block),
                owner_of(place.own.id, kLoaderLane),
                {place.block.audited ? &ring : nullptr, static_cast<std::uint16_t>(place.open),
                 [this, drain = place.drain] { return make_room(drain); },
                 place.block.logs_values}}) {}

  static constexpr unsigned kLoaderLane = 1;  // names the owner of pages, and is no lane in use

  // Nothing waits for a log that does not come after: what it cannot hear of is counted.
  [[nodiscard]] bool make_room(const std::function<void()>& drain) {
    drain();
    // As for the longest record: a value comes in parts (Loader::define).
    if (ring.has_room(own.ring_records() / 2)) return true;
    own.lane(0).ring_lost.fetch_add(1, std::memory_order_relaxed);
    return false;
  }

  data::WorkerMemory own;
  AuditRingWriter ring;
  data::Loader loader;
};

// Those that were erased and keep a slot are left out.
std::uint64_t entries_in(const data::BlockMemory& block) {
  std::uint64_t entries = 0;
  bool is_entry = false;
  const auto use = [&](const data::SlotView& slot) {
    is_entry = slot.shape.type != layout::ValueType::tombstone;
  };
  const auto done = [&] {
    entries += is_entry ? 1U : 0U;
    return true;
  };
  return data::scan(block, nullptr, use, done) ? entries : 0;
}

class SegmentGeneration final : public NextGeneration {
 public:
  SegmentGeneration(const data::BlockMemory& present, data::BlockMemory& next,
                    const FillPlace& place, Room room)
      : block_(place.block),
        filling_(std::in_place, next, place),
        rebuild_(present, filling_->loader) {
    if (room == Room::as_before) filling_->loader.expect_like(present);
    if (room == Room::as_needed) filling_->loader.expect(entries_in(present));
  }
  Result<void> advance(const Moment& moment) override {
    return outcome_of(rebuild_.advance(moment), block_, "copy");
  }
  Result<void> advance_and_pin(const Moment& moment) override {
    return outcome_of(rebuild_.advance_and_pin(moment), block_, "copy");
  }
  Result<void> change_back_from(const Moment& now) override {
    return outcome_of(rebuild_.change_back_from(now), block_, "change back");
  }
  Result<void> change(const EntryBytes& entry) override {
    return outcome_of(rebuild_.change(entry), block_, "change");
  }
  Result<void> remove(std::span<const std::byte> key) override {
    return outcome_of(rebuild_.remove(key), block_, "change");
  }
  void end() override {
    rebuild_.end();
    filling_.reset();
  }

 private:
  BlockMemory block_;
  std::optional<Filling> filling_;
  data::Rebuild rebuild_;
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
    data::BlockMemory& block = mapped(memory).block;
    if (auto done = data::settle(block, sources.intents); !done) return done;
    for (std::size_t i = 0; i < holders.size(); ++i) {
      data::remember_committed(sources.memories[i], holders[i].worker.id, block,
                               sources.intents[i].open);
    }
    return {};
  }

  RecoveryReport recover(const WorkerMemory& worker, std::span<const WorkerOpen> opens) override {
    const data::WorkerMemory dead(worker.segment.data(), worker.ring_records);
    RecoveryReport report;
    for (const WorkerOpen& open : opens) {
      if (!has_pages(open.memory)) {
        report.committed += data::complete_remembered(dead, static_cast<std::uint16_t>(open.open));
        continue;
      }
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

  Result<void> show_at(const BlockMemory& memory, const Moment& moment,
                       const TakeEntry& take) override {
    data::EntryCopy copy;
    bool is_there = false;
    Result<void> taken;
    const auto use = [&](std::size_t, const data::Version& version) {
      is_there = data::is_live(version, moment);
      copy.take(version);
    };
    const auto done = [&](std::span<const std::byte> key) {
      copy.entry.key = key;
      if (is_there) taken = take(copy.entry);
      return taken.has_value();
    };
    const bool is_sound = data::scan_at(
        mapped(memory).block, nullptr, std::span(&moment, 1), [&] { is_there = false; }, use, done);
    if (!taken || is_sound) return taken;
    return outcome_of(Errc::corrupt, memory, "read");
  }

  // While it is held the newest version of every key that was changed since stands in a slot: an
  // erased one leaves a tombstone, which nobody drops.
  bool is_unchanged_since(const BlockMemory& memory, std::uint64_t instant) override {
    bool is_later = false;
    const auto use = [&](const data::SlotView& slot) {
      is_later =
          layout::Stamp::unpack(slot.node->stamp.load(std::memory_order_relaxed)).instant > instant;
    };
    bool has_changed = false;
    const auto done = [&] { return !(has_changed = has_changed || is_later); };
    return data::scan(mapped(memory).block, nullptr, use, done) && !has_changed;
  }

  Result<void> fill(const FillPlace& place, const EntrySource& source) override {
    Filling filling(mapped(place.block).block, place);
    if (place.like != nullptr) filling.loader.expect_like(mapped(*place.like).block);
    return source([&](const EntryBytes& entry) {
      return outcome_of(filling.loader.put(entry, true), place.block, "fill");
    });
  }

  std::unique_ptr<NextGeneration> next_generation(const BlockMemory& present,
                                                  const FillPlace& place, Room room) override {
    return std::make_unique<SegmentGeneration>(mapped(present).block, mapped(place.block).block,
                                               place, room);
  }

  Result<MergeReport> merge(const MergePlan& plan, NextGeneration* into) override {
    Result<void> changed;
    const auto code_of = [&](Result<void> outcome) {
      changed = std::move(outcome);
      return changed ? Errc{} : changed.error().code();
    };
    const data::MergeSink sink{[&](const EntryBytes& entry) {
                                 return into == nullptr ? Errc{} : code_of(into->change(entry));
                               },
                               [&](std::span<const std::byte> key) {
                                 return into == nullptr ? Errc{} : code_of(into->remove(key));
                               }};
    const data::MergeSides sides{&mapped(plan.origin).block, plan.origin_base,
                                 &mapped(plan.fork).block, plan.fork_base, plan.now_ms};
    MergeReport report;
    const Errc code = data::merge(sides, plan.policy_of, sink, report);
    if (!changed) return tl::unexpected(changed.error());
    if (auto merged = outcome_of(code, plan.fork, "join"); !merged) {
      return tl::unexpected(merged.error());
    }
    return report;
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
      block.maintenance = std::make_unique<data::Maintenance>(data::MaintenancePlace{
          .memory = &block.block,
          .readers = &readers_in(memory),
          .lane = &ours.lane(0),
          .open = 0,
          .owner = owner_of(own.id, 0),
          .growing = memory.evicts ? data::Growing::with_spare : data::Growing::freely});
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
