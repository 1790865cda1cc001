// A data plane that does what another one does, for tests that change one function of it.
#pragma once

#include "director/data_plane.hpp"

#include <utility>

namespace sessionblocks::director::test {

class DelegatingDataPlane : public DataPlane {
 public:
  explicit DelegatingDataPlane(std::unique_ptr<DataPlane> real) : real_(std::move(real)) {}

  Result<void> format_block(const BlockMemory& block, std::uint64_t seed,
                            std::uint32_t table) override {
    return real_->format_block(block, seed, table);
  }
  Result<void> format_worker(const WorkerMemory& worker) override {
    return real_->format_worker(worker);
  }
  std::uint64_t used_bytes(const BlockMemory& block) override { return real_->used_bytes(block); }
  Result<void> settle(const BlockMemory& block, std::span<const Holder> holders) override {
    return real_->settle(block, holders);
  }
  RecoveryReport recover(const WorkerMemory& worker, std::span<const WorkerOpen> opens) override {
    return real_->recover(worker, opens);
  }
  bool maintain(const BlockMemory& block, const WorkerMemory& own,
                std::span<const Holder> holders) override {
    return real_->maintain(block, own, holders);
  }
  Examined examine(const BlockMemory& block, std::uint64_t most) override {
    return real_->examine(block, most);
  }
  Result<std::uint64_t> take_checkpoint(const BlockMemory& block, const WorkerMemory& own,
                                        std::span<const Holder> holders) override {
    return real_->take_checkpoint(block, own, holders);
  }
  Result<void> keep_checkpoints(const BlockMemory& block, const WorkerMemory& own,
                                std::span<const std::uint64_t> instants,
                                std::span<const Holder> holders) override {
    return real_->keep_checkpoints(block, own, instants, holders);
  }
  Result<void> show_at(const BlockMemory& block, const Moment& moment,
                       const TakeEntry& take) override {
    return real_->show_at(block, moment, take);
  }
  bool is_unchanged_since(const BlockMemory& block, std::uint64_t instant) override {
    return real_->is_unchanged_since(block, instant);
  }
  Result<void> fill(const FillPlace& place, const EntrySource& source) override {
    return real_->fill(place, source);
  }
  std::unique_ptr<NextGeneration> next_generation(const BlockMemory& present,
                                                  const FillPlace& place, Room room) override {
    return real_->next_generation(present, place, room);
  }
  Result<MergeReport> merge(const MergePlan& plan, NextGeneration* into) override {
    return real_->merge(plan, into);
  }
  void forget(BlockId block, Generation generation) override { real_->forget(block, generation); }

 private:
  std::unique_ptr<DataPlane> real_;
};

}  // namespace sessionblocks::director::test
