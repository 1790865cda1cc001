#include "checkpoints.hpp"

#include "segment/chain.hpp"
#include "stamp.hpp"

namespace sessionblocks::torture {
namespace {

constexpr std::size_t kMostHeld = 6;
// Nothing is evicted while anything is pinned: then there is one at a time, and mostly none.
constexpr std::uint64_t kTurnsWithoutPin = 64;

}  // namespace

CheckpointTaker::CheckpointTaker(System& system, const KeySet& keys, std::uint64_t seed,
                                 Complain complain)
    : system_(system),
      keys_(keys),
      evicts_(system.evicts()),
      random_(seed),
      complain_(std::move(complain)) {
  generation_changed(0);
  for (std::uint32_t key = 0; key < keys_.size(); ++key) {
    if (key % keys_.sampling(key) == 0) watched_.push_back(key);
  }
}

void CheckpointTaker::turn() {
  if (held_.empty() && evicts_ && random_() % kTurnsWithoutPin != 0) return;
  const std::uint64_t dice = random_() % 4;
  if (held_.empty() || (dice == 0 && held_.size() < most_held())) {
    if (Held* held = take()) read(*held);
    check_order();
  } else if (dice == 1) {
    release(random_() % held_.size());
  } else {
    read(held_[random_() % held_.size()]);
  }
}

void CheckpointTaker::at_rest(const std::vector<FoundEntry>& entries) {
  for (Held& held : held_) read(held);
  if (held_.size() >= most_held()) release(0);
  Held* now = take();
  if (now == nullptr) return;
  for (const std::uint32_t key : watched_) now->shown[key];
  for (const FoundEntry& entry : entries) {
    const auto shown = now->shown.find(keys_.find(entry.key));
    if (shown != now->shown.end()) shown->second = Shown{entry.version, entry.bytes};
  }
  read(*now);
  check_order();
}

void CheckpointTaker::generation_changed(std::uint64_t last_instant) {
  mapped_ = system_.block();
  // Writers are ahead of a director that makes a copy: who reads needs their pages, too.
  memory_.emplace(mapped_.block.data(), mapped_.block.size(), mapped_.reserved.get(),
                  mapped_.populate);
  std::erase_if(held_, [&](const Held& held) { return held.instant > last_instant; });
  // What had expired when a checkpoint was taken is not there for it, and is not taken along.
  for (Held& held : held_) {
    std::erase_if(held.shown, [&](const auto& one) { return keys_.may_expire(one.first); });
  }
}

std::map<std::uint32_t, CheckpointTaker::Shown> CheckpointTaker::show(std::uint64_t instant) {
  std::map<std::uint32_t, Shown> all;
  for (const std::uint32_t key : watched_) {
    const auto shown = look(key, instant);
    if (!shown) {
      complain_("an instant cannot be read at " + keys_.name(key));
      break;
    }
    all[key] = *shown;
  }
  return all;
}

std::size_t CheckpointTaker::most_held() const noexcept {
  return evicts_ ? 1 : kMostHeld;
}

void CheckpointTaker::release_all() {
  while (!held_.empty()) release(0);
}

CheckpointTaker::Held* CheckpointTaker::take() {
  const std::string name = "instant-" + std::to_string(++taken_);
  const auto instant = system_.take_checkpoint(name);
  if (!instant) {
    complain_("no checkpoint can be taken: " + instant.error().message());
    return nullptr;
  }
  held_.push_back({name, *instant, {}});
  return &held_.back();
}

void CheckpointTaker::release(std::size_t which) {
  const auto at = held_.begin() + static_cast<std::ptrdiff_t>(which);
  if (auto released = system_.release_checkpoint(at->name); !released) {
    complain_("a checkpoint cannot be released: " + released.error().message());
  }
  held_.erase(at);
}

void CheckpointTaker::read(Held& held) {
  ++reads_;
  for (const std::uint32_t key : watched_) {
    const auto shown = look(key, held.instant);
    if (!shown) {
      complain_("checkpoint " + held.name + " cannot be read at " + keys_.name(key));
      return;
    }
    const auto [at, is_first] = held.shown.try_emplace(key, *shown);
    if (is_first && !keys_.is_counter(key) && shown->version != 0 &&
        !content_of(std::as_bytes(std::span(shown->bytes)))) {
      complain_("checkpoint " + held.name + " shows torn bytes at " + keys_.name(key));
    }
    if (at->second == *shown) continue;
    complain_("checkpoint " + held.name + " showed version " + std::to_string(at->second.version) +
              " of " + keys_.name(key) + " and now " + std::to_string(shown->version));
    return;
  }
}

// Nothing: it cannot be read.
std::optional<CheckpointTaker::Shown> CheckpointTaker::look(std::uint32_t key,
                                                            std::uint64_t instant) {
  const std::string& name = keys_.name(key);
  const auto bytes = std::as_bytes(std::span(name));
  const segment::KeyView view{
      bytes.data(), static_cast<std::uint32_t>(bytes.size()),
      segment::hash_key(bytes.data(), bytes.size(), memory_->header().hash_seed)};
  Shown shown;
  const auto copy = [&](const segment::Version& version) {
    shown = {};
    if (version.shape.type == layout::ValueType::tombstone) return;
    shown.version = version.node->version.load(std::memory_order_relaxed);
    shown.bytes.resize(version.shape.value_bytes);
    copy_out(reinterpret_cast<std::byte*>(shown.bytes.data()),
             reinterpret_cast<const std::byte*>(version.node) + version.shape.value_at(),
             shown.bytes.size());
  };
  const segment::Found found = segment::lookup_at(*memory_, view, instant, nullptr, copy);
  if (found == segment::Found::corrupt) return std::nullopt;
  if (found == segment::Found::absent) shown = {};
  return shown;
}

// Later checkpoints never show an earlier version.
void CheckpointTaker::check_order() {
  if (held_.size() < 2) return;
  const Held& before = held_[held_.size() - 2];
  for (const auto& [key, later] : held_.back().shown) {
    const auto earlier = before.shown.find(key);
    if (earlier == before.shown.end() || later.version == 0) continue;
    if (earlier->second.version > later.version) {
      complain_("checkpoint " + held_.back().name + " shows an earlier version of " +
                keys_.name(key) + " than " + before.name);
    }
  }
}

}  // namespace sessionblocks::torture
