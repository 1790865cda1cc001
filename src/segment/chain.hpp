// The versions of one entry that checkpoints hold: a chain from the node in the slot to older ones.
//
//   slot --> node (stamp 9) --link--> node (stamp 5) --link--> node (stamp 2)
//
// A checkpoint of instant i reads the first node whose stamp is at most i. Whoever displaces a node
// keeps it on the chain if a pin needs it, else hands the node's own link on. Only the director
// takes nodes out of a chain (checkpoints.hpp). A link names the gen of what it means, so that a
// chunk which was freed and used again ends the chain instead of continuing it wrongly.
#pragma once

#include "segment/lookup.hpp"

#include <algorithm>
#include <array>

namespace sessionblocks::segment {

struct ChainLink {
  std::uint64_t previous = 0;  // offset of the next older version; 0: there is none
  layout::Gen gen = 0;
  friend bool operator==(const ChainLink&, const ChainLink&) = default;
};

[[nodiscard]] inline layout::Link& link_of(layout::Node& node) noexcept {
  return *reinterpret_cast<layout::Link*>(reinterpret_cast<std::byte*>(&node) +
                                          sizeof(layout::Node));
}

// Of a node whose shape says that it has one. Two loads: a link that is changed meanwhile fits no
// node, and is looked at again.
[[nodiscard]] inline ChainLink load_link(const BlockMemory& memory, std::uint64_t node) noexcept {
  layout::Node* const at = memory.node(node);
  if (at == nullptr || !memory.holds(node, sizeof(layout::Node) + sizeof(layout::Link))) return {};
  const auto& link = link_of(*at);
  return {link.low.load(std::memory_order_acquire), link.high.load(std::memory_order_acquire)};
}

// Whether a checkpoint needs the version of instant `older` behind one of instant `newer`.
[[nodiscard]] inline bool is_pinned(const layout::BlockHeader& header, std::uint64_t older,
                                    std::uint64_t newer) noexcept {
  return std::any_of(std::begin(header.pins), std::end(header.pins), [&](const auto& pin) {
    const std::uint64_t instant = pin.load(std::memory_order_acquire);
    return instant == layout::kPinTaking || (instant != 0 && older <= instant && instant < newer);
  });
}

// One version on a chain, as it was when it was looked at.
struct Version {
  std::uint64_t offset = 0;
  layout::Node* node = nullptr;
  layout::Gen gen = 0;
  layout::Shape shape;
  layout::Stamp stamp;
  ChainLink link;
};

enum class Chain : std::uint8_t {
  version,
  end,      // there is no older version
  broken,   // the link changed while it was followed, or someone scribbled on it: look again
  endless,  // someone scribbled on it
};

// The version that a link means.
[[nodiscard]] inline Chain follow(const BlockMemory& memory, const ChainLink& link,
                                  Version& version) noexcept {
  if (link.previous == 0) return Chain::end;
  const auto gen = memory.authentic_gen(link.previous);
  if (!gen || *gen != link.gen || layout::state_of(*gen) != layout::NodeState::in_use) {
    return Chain::broken;
  }
  version.offset = link.previous;
  version.node = memory.node(link.previous);
  version.gen = *gen;
  version.shape = layout::Shape::unpack(version.node->shape.load(std::memory_order_relaxed));
  version.stamp = layout::Stamp::unpack(version.node->stamp.load(std::memory_order_relaxed));
  version.link = version.shape.linked ? load_link(memory, link.previous) : ChainLink{};
  std::atomic_thread_fence(std::memory_order_acquire);
  return memory.authentic_gen(link.previous) == gen ? Chain::version : Chain::broken;
}

// The first version of a slot's chain, which lookup() or a scan has just found.
[[nodiscard]] inline Version first_version(const BlockMemory& memory,
                                           const SlotView& view) noexcept {
  return {view.ref.offset(),
          view.node,
          view.gen,
          view.shape,
          layout::Stamp::unpack(view.node->stamp.load(std::memory_order_relaxed)),
          view.shape.linked ? load_link(memory, view.ref.offset()) : ChainLink{}};
}

// Chains are as long as there are pins, and longer only by versions that the director has not yet
// taken out; bytes that someone scribbled end here.
inline constexpr int kMostVersions = 100'000;
// Of a chain whose links do not hold: the director takes out one version after the other, so that
// a reader meets a link on its way now and then, never this often.
inline constexpr int kMostChainTries = 10'000;

// The version that a checkpoint of `instant` sees; end: the entry was not there.
[[nodiscard]] inline Chain version_at(const BlockMemory& memory, const SlotView& head,
                                      std::uint64_t instant, Version& version) noexcept {
  version = first_version(memory, head);
  for (int steps = 0; version.stamp.instant > instant; ++steps) {
    if (steps == kMostVersions) return Chain::endless;
    const Chain next = follow(memory, ChainLink(version.link), version);
    if (next != Chain::version) return next;
  }
  return Chain::version;
}

// Hands the version that a checkpoint of `instant` sees to `use`. What it saw counts unless the
// chain was broken, and if the slot is unchanged afterwards.
template <typename Use>
[[nodiscard]] Chain use_version_at(const BlockMemory& memory, const SlotView& head,
                                   std::uint64_t instant, Use&& use) {
  Version version;
  const Chain chain = version_at(memory, head, instant, version);
  if (chain != Chain::version) return chain;
  if (!memory.holds(version.offset, version.shape.node_bytes())) return Chain::broken;
  use(version);
  if (version.offset == head.ref.offset()) return chain;
  std::atomic_thread_fence(std::memory_order_acquire);
  return memory.authentic_gen(version.offset) == version.gen ? chain : Chain::broken;
}

// Looks a key up as a checkpoint of `instant` holds it. The caller holds the checkpoint: what it
// needs is not freed, whatever happens to newer versions meanwhile. `use` gets the version, and
// may be called again; a tombstone is a hit.
template <typename Use>
Found lookup_at(const BlockMemory& memory, const KeyView& key, std::uint64_t instant,
                HazardSlot* hazard, Use&& use) {
  for (int tries = 0; tries < kMostChainTries; ++tries) {
    Chain chain = Chain::end;
    SlotView view;
    const Found found = lookup(memory, key, hazard, view, [&](const SlotView& head) {
      chain = use_version_at(memory, head, instant, use);
    });
    if (found != Found::hit) return found;
    if (chain == Chain::endless) return Found::corrupt;
    if (chain != Chain::broken) return chain == Chain::version ? Found::hit : Found::absent;
  }
  return Found::corrupt;
}

// Whether the index leads to this node: from its key's slot, or along the chain behind it.
[[nodiscard]] bool is_reachable(const BlockMemory& memory, std::uint64_t offset);

}  // namespace sessionblocks::segment
