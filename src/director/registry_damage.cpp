// Registry: what is done about damaged blocks. Nobody's word is taken for it: a worker that reads
// what cannot be raises a number in its own segment, and the director looks for itself.
#include "core/crash_point.hpp"
#include "director/registry.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::director {
namespace {

// Entries looked at in one turn: some milliseconds.
constexpr std::uint64_t kSlotsAtOnce = 16'384;

}  // namespace

void Registry::quarantine_block(BlockId id, std::string_view why) {
  StoredBlock* block = blocks.find(id);
  if (block == nullptr || block->state == sessionblocks::BlockState::quarantined) return;
  static_cast<void>(states.change(*block, Transition::quarantine, why));
}

// A worker can make us look as often as it likes: at blocks that it holds, a little at a time.
void Registry::hear_of_damage() {
  for (auto& [id, worker] : workers.all()) {
    if (!worker.segment || worker.is_director) continue;
    const std::uint64_t seen = worker.header()->damage_seen.load(std::memory_order_acquire);
    if (seen == worker.damage_seen) continue;
    worker.damage_seen = seen;
    for (const auto& [open, opened] : worker.opens) {
      StoredBlock* block = blocks.find(opened.block);
      if (block != nullptr && block->generation == opened.generation) block->is_suspect = true;
    }
  }
}

// The header is looked at each time, the rest when somebody has a suspicion. Whether there is
// more to look at.
bool Registry::examine(StoredBlock& block) {
  if (block.segment->has_lost_memory() || block.readers->has_lost_memory()) {
    quarantine_block(block.id, "memory was taken out of its segments");
    return false;
  }
  const bool suspect = block.is_suspect;
  const std::uint64_t begun_ns = platform::monotonic_ns();
  const auto examined =
      options.data_plane->examine(block.memory(), suspect ? kSlotsAtOnce : std::uint64_t{0});
  if (suspect) examined_ns += platform::monotonic_ns() - begun_ns;
  if (!examined.damage.empty()) {
    quarantine_block(block.id, examined.damage);
    return false;
  }
  if (suspect && examined.is_over) block.is_suspect = false;
  return block.is_suspect;
}

}  // namespace sessionblocks::director
