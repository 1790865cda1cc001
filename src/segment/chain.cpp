#include "segment/chain.hpp"

namespace sessionblocks::segment {

bool is_reachable(const BlockMemory& memory, std::uint64_t offset) {
  const layout::Node* node = memory.node(offset);
  if (node == nullptr) return false;
  const auto shape = layout::Shape::unpack(node->shape.load(std::memory_order_relaxed));
  if (shape.key_bytes == 0 || shape.key_bytes > layout::kMaxKeyBytes) return false;
  if (!memory.holds(offset, shape.node_bytes())) return false;
  std::array<std::byte, layout::kMaxKeyBytes> key;
  copy_out(key.data(), reinterpret_cast<const std::byte*>(node) + shape.key_at(), shape.key_bytes);
  SlotView view;
  bool found = false;
  const KeyView key_view{key.data(), shape.key_bytes, node->hash.load(std::memory_order_relaxed)};
  const Found end = lookup(memory, key_view, nullptr, view, [&](const SlotView& head) {
    Version version = first_version(memory, head);
    found = version.offset == offset;
    for (int steps = 0; !found && steps < kMostVersions; ++steps) {
      if (follow(memory, ChainLink(version.link), version) != Chain::version) return;
      found = version.offset == offset;
    }
  });
  return end == Found::hit && found;
}

}  // namespace sessionblocks::segment
