// Registry: checkpoints of blocks. The pin comes before the row that names it and goes after it, so
// that a death leaves at worst a pin without a row, which adoption releases.
#include <algorithm>
#include <cstring>

#include "core/crash_point.hpp"
#include "director/registry.hpp"
#include "director/suite_words.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;

auto find_named(std::vector<Checkpoint>& checkpoints, std::string_view name) {
  return std::find_if(checkpoints.begin(), checkpoints.end(),
                      [&](const Checkpoint& checkpoint) { return checkpoint.name == name; });
}

}  // namespace

Result<Checkpoint> Registry::take_checkpoint(StoredBlock& block, const std::string& name) {
  if (!is_name(name)) return fail(Errc::invalid_argument, "checkpoint \"" + name + "\"");
  if (find_named(block.checkpoints, name) != block.checkpoints.end()) {
    return fail(Errc::exists, "checkpoint " + name + " of " + block.text());
  }
  Worker* own = own_lane();
  if (own == nullptr || !block.segment) {
    return fail(Errc::invalid_argument, block.text() + " has no memory of its own");
  }
  const std::string detail = "checkpoint " + name;
  const auto begun = begin(EventKind::pinned, block, detail);
  const auto holders = workers.holders(block.id, block.generation);
  const auto instant = options.data_plane->take_checkpoint(block.memory(), own->memory(), holders);
  if (!instant) return tl::unexpected(instant.error());
  // CRASH(checkpoint.taken): a pin that no row names; adoption releases it.
  SESSIONBLOCKS_CRASH("checkpoint.taken");
  Checkpoint made{name, *instant, platform::realtime_ns() / kNsPerMs, 0};
  const auto row = control.publish(
      CheckpointRowFields{block.id, block.generation, made.instant, made.taken_ms, made.name});
  if (!row) {
    static_cast<void>(keep_checkpoints(block));
    return tl::unexpected(row.error());
  }
  made.row = *row;
  block.checkpoints.push_back(made);
  say(EventKind::pinned, block, detail);
  return made;
}

Result<void> Registry::release_checkpoint(StoredBlock& block, std::string_view name) {
  const auto found = find_named(block.checkpoints, name);
  if (found == block.checkpoints.end()) {
    return fail(Errc::no_such_checkpoint, std::string(name) + " of " + block.text());
  }
  const std::string detail = "checkpoint " + std::string(name);
  const auto begun = begin(EventKind::unpinned, block, detail);
  control.withdraw_checkpoint(found->row);
  block.checkpoints.erase(found);
  // CRASH(checkpoint.withdrawn): a pin that no row names; adoption releases it.
  SESSIONBLOCKS_CRASH("checkpoint.withdrawn");
  say(EventKind::unpinned, block, detail);
  return keep_checkpoints(block);
}

Result<void> Registry::keep_checkpoints(const StoredBlock& block) {
  Worker* own = own_lane();
  if (own == nullptr || !block.segment) return {};
  std::vector<std::uint64_t> instants;
  for (const Checkpoint& checkpoint : block.checkpoints) instants.push_back(checkpoint.instant);
  const auto holders = workers.holders(block.id, block.generation);
  return options.data_plane->keep_checkpoints(block.memory(), own->memory(), instants, holders);
}

void Registry::forget_checkpoints(StoredBlock& block) noexcept {
  for (const Checkpoint& checkpoint : block.checkpoints) {
    control.withdraw_checkpoint(checkpoint.row);
  }
  block.checkpoints.clear();
}

// What had expired when it was taken: by the realtime clock, which says when that was.
Moment Registry::moment_of(const Checkpoint& checkpoint) {
  const std::int64_t offset_ms =
      control.header().realtime_offset_ms.load(std::memory_order_relaxed);
  const auto taken_ms = static_cast<std::int64_t>(checkpoint.taken_ms);
  return {checkpoint.instant,
          static_cast<std::uint64_t>(std::max<std::int64_t>(taken_ms - offset_ms, 0))};
}

void Registry::adopt_checkpoints() {
  for (std::uint32_t row = 0; row < layout::kCheckpointRows; ++row) {
    const auto& stored = control.checkpoint(row);
    const std::uint64_t word = stored.block.load(std::memory_order_acquire);
    if (word == 0) continue;
    StoredBlock* block = blocks.find(static_cast<BlockId>(static_cast<std::uint32_t>(word >> 32U)));
    const auto generation = static_cast<Generation>(static_cast<std::uint32_t>(word));
    if (block == nullptr || block->generation != generation) {
      control.withdraw_checkpoint(row);
      continue;
    }
    const std::string name(stored.name, ::strnlen(stored.name, sizeof stored.name));
    block->checkpoints.push_back({name, stored.instant, stored.taken_ms, row});
  }
  for (auto& [id, block] : blocks.all()) {
    std::sort(block.checkpoints.begin(), block.checkpoints.end(),
              [](const auto& left, const auto& right) { return left.instant < right.instant; });
    if (!block.is_maintained()) continue;
    if (auto kept = keep_checkpoints(block); !kept) {
      say(EventKind::failed, "release pins of " + block.text(), kept.error().message());
    }
  }
}

}  // namespace sessionblocks::director
