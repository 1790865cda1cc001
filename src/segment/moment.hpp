// A block as it was at one moment: at the instant of a checkpoint that somebody holds, or now.
//
// What was read counts only if the checkpoint was still held afterwards (is_held): once it is
// released, the versions that it needed are freed under its readers.
#pragma once

#include "segment/chain.hpp"
#include "segment/scan.hpp"
#include "segment/size_class.hpp"

#include <optional>
#include <span>

namespace sessionblocks::segment {

// Of the newest version: every stamp is below it.
inline constexpr std::uint64_t kNow = ~std::uint64_t{0};

struct Moment {
  std::uint64_t instant = kNow;
  std::uint64_t clock_ms = 0;  // CLOCK_MONOTONIC, for what had expired then

  [[nodiscard]] bool is_now() const noexcept { return instant == kNow; }
};

// Acquire: the loads of what was read come before, as a release unpins before anything is freed.
[[nodiscard]] inline bool is_held(const BlockMemory& memory, const Moment& moment) noexcept {
  if (moment.is_now()) return true;
  std::atomic_thread_fence(std::memory_order_acquire);
  const auto& pins = memory.header().pins;
  return std::any_of(std::begin(pins), std::end(pins), [&](const auto& pin) {
    return pin.load(std::memory_order_acquire) == moment.instant;
  });
}

// Whether the version shows an entry: no tombstone, and not expired then.
[[nodiscard]] inline bool is_live(const Version& version, const Moment& moment) noexcept {
  const std::uint64_t expiry_ms = version.node->expiry_ms.load(std::memory_order_relaxed);
  return version.shape.type != layout::ValueType::tombstone &&
         (expiry_ms == 0 || expiry_ms > moment.clock_ms);
}

// Walks every key that the index shows, and hands each one's version at each of `moments` to
// `use(which, version)`, which may be called again and then begins anew with `which` 0; a moment
// that the key was not there at is left out. `done(key)` ends one key, and says whether to go on.
// False: the header names no usable table, or a chain has no end.
template <typename Begin, typename Use, typename Done>
bool scan_at(const BlockMemory& memory, HazardSlot* hazard, std::span<const Moment> moments,
             Begin&& begin, Use&& use, Done&& done) {
  std::vector<std::byte> key;
  std::uint64_t hash = 0;
  Chain worst = Chain::version;
  bool is_sound = true;
  const auto look = [&](const SlotView& head) {
    const auto* const bytes = reinterpret_cast<const std::byte*>(head.node) + head.shape.key_at();
    key.resize((head.shape.key_bytes + 7U) & ~7U);
    copy_out(key.data(), bytes, head.shape.key_bytes);
    key.resize(head.shape.key_bytes);
    hash = head.node->hash.load(std::memory_order_relaxed);
    worst = Chain::version;
    begin();
    for (std::size_t which = 0; which < moments.size(); ++which) {
      const Chain chain = use_version_at(memory, head, moments[which].instant,
                                         [&](const Version& version) { use(which, version); });
      if (chain == Chain::broken || chain == Chain::endless) worst = chain;
    }
  };
  // A link that changed while it was followed: the key is looked up until its chain holds.
  const auto look_closely = [&]() -> bool {
    const KeyView view{key.data(), static_cast<std::uint32_t>(key.size()), hash};
    begin();
    for (std::size_t which = 0; which < moments.size(); ++which) {
      const Found found = lookup_at(memory, view, moments[which].instant, hazard,
                                    [&](const Version& version) { use(which, version); });
      if (found == Found::corrupt) return false;
    }
    return true;
  };
  const auto finish = [&] {
    if (worst == Chain::broken) is_sound = look_closely();
    if (worst == Chain::endless) is_sound = false;
    return is_sound && done(std::span<const std::byte>(key));
  };
  return scan(memory, hazard, look, finish) && is_sound;
}

// What the version takes of the block's heap.
[[nodiscard]] inline std::uint64_t heap_bytes_of(const Version& version) noexcept {
  const std::uint64_t bytes = version.shape.node_bytes();
  const std::uint8_t size_class = class_of(bytes);
  if (size_class != kRunClass) return kClassBytes[size_class];
  return run_pages_of(bytes) * layout::kPageBytes;
}

}  // namespace sessionblocks::segment
