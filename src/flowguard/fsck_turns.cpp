#include "flowguard/fsck_turns.hpp"

namespace sessionblocks::flowguard {

void FsckTurns::look(director::Registry& registry, std::uint64_t now_ms) {
  if (!begun_) begun_ = Begun{now_ms, registry.examined_ns};
  const auto passed_ns = static_cast<double>(now_ms - begun_->now_ms) * 1e6;
  if (static_cast<double>(registry.examined_ns - begun_->examined_ns) > passed_ns * kShare) return;
  auto& blocks = registry.blocks.all();
  const auto last = blocks.find(last_);
  if (last != blocks.end() && last->second.is_maintained() && last->second.is_suspect) return;
  auto at = blocks.upper_bound(last_);
  for (std::size_t tried = 0; tried < blocks.size(); ++tried, ++at) {
    if (at == blocks.end()) at = blocks.begin();
    director::StoredBlock& block = at->second;
    if (!block.is_maintained()) continue;
    last_ = block.id;
    block.is_suspect = true;
    return;
  }
}

}  // namespace sessionblocks::flowguard
