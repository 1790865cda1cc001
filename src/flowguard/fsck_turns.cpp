#include "flowguard/fsck_turns.hpp"

namespace sessionblocks::flowguard {

void FsckTurns::look(director::Registry& registry, std::uint64_t now_ms) {
  if (now_ms < next_ms_) return;
  auto& blocks = registry.blocks.all();
  auto at = blocks.upper_bound(last_);
  for (std::size_t tried = 0; tried < blocks.size(); ++tried, ++at) {
    if (at == blocks.end()) at = blocks.begin();
    director::StoredBlock& block = at->second;
    if (!block.is_maintained()) continue;
    last_ = block.id;
    block.is_suspect = true;
    const auto bytes = static_cast<double>(registry.options.data_plane->used_bytes(block.memory()));
    next_ms_ = now_ms + static_cast<std::uint64_t>((bytes * kNsOfByte + kNsOfTurn) / kShare / 1e6);
    return;
  }
}

}  // namespace sessionblocks::flowguard
