#include "scene.hpp"

#include "segment/chain.hpp"

namespace sessionblocks::crash {

namespace {

// Adds what a checkpoint of `instant` sees; kPinTaking, which no stamp reaches: what is there now.
void add_entries(const BlockMemory& memory, std::uint64_t instant, const std::string& prefix,
                 Entries& entries) {
  std::string key;
  Value value;
  bool is_live = false;
  const auto use = [&](const SlotView& view) {
    is_live = false;
    const Chain chain = use_version_at(memory, view, instant, [&](const Version& version) {
      const auto* text = reinterpret_cast<const char*>(version.node);
      is_live = version.shape.type != layout::ValueType::tombstone;
      key.assign(text + version.shape.key_at(), version.shape.key_bytes);
      value.bytes.assign(text + version.shape.value_at(), version.shape.value_bytes);
      value.version = version.node->version.load();
    });
    if (chain == Chain::broken) entries["a broken chain"] = {};
  };
  const auto done = [&] {
    if (is_live) entries[prefix + key] = value;
    return true;
  };
  if (!scan(memory, nullptr, use, done)) entries["no usable table"] = {};
}

}  // namespace

Entries entries_of(const BlockMemory& memory) {
  Entries entries;
  add_entries(memory, layout::kPinTaking, "", entries);
  for (const auto& pin : memory.header().pins) {
    const std::uint64_t instant = pin.load();
    if (instant == 0 || instant == layout::kPinTaking) continue;
    add_entries(memory, instant, std::to_string(instant) + ":", entries);
  }
  return entries;
}

Image::Image(const Scene& scene)
    : id_(scene.victim.id),
      block_(scene.system.block.size()),
      readers_(scene.system.readers.size()),
      worker_bytes_(layout::worker_bytes(kRing)),
      memory_(block_.data(), block_.size(), nullptr, nullptr),
      worker_(worker_bytes_.data(), kRing),
      touched_(block_.size()) {}

std::uint64_t Image::used_bytes(const std::byte* block) const {
  const auto& header = *reinterpret_cast<const layout::BlockHeader*>(block);
  const auto& geometry = memory_.geometry();
  return geometry.page_at(std::min(header.page_watermark.load(), geometry.page_count));
}

void Image::copy_bytes(const std::byte* block, const std::byte* readers, const std::byte* worker) {
  const std::uint64_t used = used_bytes(block);
  std::memcpy(block_.data(), block, std::max(used, touched_));
  std::memcpy(readers_.data(), readers, readers_.size());
  std::memcpy(worker_bytes_.data(), worker, kLaneEnd);
  touched_ = used;
}

void Image::copy_from(const Scene& scene) {
  // What was done to this image since the last copy may have touched more pages.
  touched_ = std::max(touched_, used_bytes(block_.data()));
  copy_bytes(scene.system.block.data(), scene.system.readers.data(), scene.victim.bytes.data());
}

void Image::copy_from(const Image& image) {
  touched_ = std::max(touched_, used_bytes(block_.data()));
  copy_bytes(image.block_.data(), image.readers_.data(), image.worker_bytes_.data());
}

RecoveryReport Image::recover() {
  return recover_in_block(worker_, id_, {&memory_, &readers(), test::kOpen, true});
}

bool Image::same_bytes(const Image& image) const {
  const std::uint64_t used = std::max(used_bytes(block_.data()), used_bytes(image.block_.data()));
  return std::memcmp(block_.data(), image.block_.data(), used) == 0 &&
         std::memcmp(readers_.data(), image.readers_.data(), readers_.size()) == 0 &&
         std::memcmp(worker_bytes_.data(), image.worker_bytes_.data(), kLaneEnd) == 0;
}

namespace {

constexpr std::uint64_t kFirstHazards = 128 + 16 * sizeof(layout::Hazard);
constexpr std::uint64_t kWaitersAt = offsetof(layout::ReadersSegment, waiters);
constexpr std::uint64_t kPagesAbove = 5;  // more than one operation claims

[[nodiscard]] std::uint64_t reachable_bytes(const BlockMemory& memory) {
  const std::uint64_t top = memory.header().page_watermark.load() + kPagesAbove;
  return memory.geometry().page_at(std::min(top, memory.page_count()));
}

}  // namespace

std::vector<Range> Image::ranges() const {
  return {{block_.data(), reachable_bytes(memory_)},
          {readers_.data(), kFirstHazards},
          {readers_.data() + kWaitersAt, sizeof(layout::ReadersSegment::waiters)},
          {worker_bytes_.data(), kLaneEnd}};
}

std::vector<Range> Scene::ranges() const {
  return {{system.block.data(), reachable_bytes(system.memory)},
          {system.readers.data(), kFirstHazards},
          {system.readers.data() + kWaitersAt, sizeof(layout::ReadersSegment::waiters)},
          {victim.bytes.data(), kLaneEnd}};
}

namespace {
std::vector<std::byte> bytes(const std::byte* from, std::uint64_t count) {
  return {from, from + count};
}
}  // namespace

Snapshot::Snapshot(const Scene& scene)
    : block_(bytes(scene.system.block.data(), scene.system.block.size())),
      readers_(bytes(scene.system.readers.data(), scene.system.readers.size())),
      victim_(bytes(scene.victim.bytes.data(), kLaneEnd)),
      other_(bytes(scene.other.bytes.data(), kLaneEnd)) {}

void Snapshot::restore(Scene& scene) const {
  std::memcpy(scene.system.block.data(), block_.data(), block_.size());
  std::memcpy(scene.system.readers.data(), readers_.data(), readers_.size());
  std::memcpy(scene.victim.bytes.data(), victim_.data(), victim_.size());
  std::memcpy(scene.other.bytes.data(), other_.data(), other_.size());
}

}  // namespace sessionblocks::crash
