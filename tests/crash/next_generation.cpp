#include "next_generation.hpp"

#include "segment/entry_bytes.hpp"

#include <algorithm>

namespace sessionblocks::crash {
namespace {

constexpr std::uint64_t kClockMs = 1'000;  // as actors have it
constexpr WorkerId kDirector{9};

layout::LifeWord life_of(std::uint32_t generation, BlockState state) {
  return layout::LifeWord::make(BlockId{7}, Generation{generation}, state);
}

std::uint64_t highest_version(const Entries& entries) {
  std::uint64_t highest = 0;
  for (const auto& [key, value] : entries) highest = std::max(highest, value.version);
  return highest;
}

}  // namespace

const char* word(Purpose purpose) noexcept {
  switch (purpose) {
    case Purpose::roll_back:
      return "a rollback";
    case Purpose::swap:
      return "a swap";
    case Purpose::fork:
      return "a fork";
  }
  return "";
}

void NextBlock::format_anew() {
  std::memset(system_.block.data(), 0, system_.block.size());
  std::memset(system_.readers.data(), 0, system_.readers.size());
  if (!format_block(system_.block.span(), BlockId{7}, Generation{2}, test::kSeed, 1)) std::abort();
  format_readers(system_.readers.span(), BlockId{7}, Generation{2});
}

std::vector<std::byte> NextBlock::bytes() const {
  const auto block = system_.block.span();
  const auto readers = system_.readers.span();
  std::vector<std::byte> all(block.begin(), block.end());
  all.insert(all.end(), readers.begin(), readers.end());
  return all;
}

void NextBlock::set_back(const std::vector<std::byte>& bytes) {
  std::memcpy(system_.block.data(), bytes.data(), system_.block.size());
  std::memcpy(system_.readers.data(), bytes.data() + system_.block.size(), system_.readers.size());
}

std::uint64_t first_pin(const Scene& scene) {
  for (const auto& pin : scene.system.memory.header().pins) {
    const std::uint64_t instant = pin.load();
    if (instant != 0) return instant;
  }
  throw std::runtime_error("the scene holds no checkpoint");
}

Entries live_of(const Entries& all) {
  Entries live = all;
  std::erase_if(live, [](const auto& entry) { return entry.first.find(':') != std::string::npos; });
  return live;
}

Entries held_by(const Entries& all, std::uint64_t instant) {
  const std::string prefix = std::to_string(instant) + ":";
  Entries held;
  for (const auto& [key, value] : all) {
    if (key.starts_with(prefix)) held[key.substr(prefix.size())] = value;
  }
  return held;
}

Maker::Maker(Purpose purpose, Scene& scene, NextBlock& next, std::uint64_t held)
    : purpose_(purpose),
      scene_(scene),
      next_(next),
      held_(held),
      loader_(
          std::in_place,
          Loader::Place{
              &next.system().memory, &next.system().readers_segment(), owner_of(kDirector, 1), {}}),
      rebuild_(scene.system.memory, *loader_) {
  if (purpose == Purpose::fork) return;
  loader_->expect(scene.system.memory.header().claimed_slots.load(std::memory_order_relaxed));
}

Errc Maker::copy() {
  return purpose_ == Purpose::fork ? copy_to_fork() : rebuild_.advance_and_pin({held_, 0});
}

Errc Maker::copy_to_fork() {
  const Moment moment{held_, 0};
  EntryCopy copy;
  bool is_there = false;
  Errc code{};
  const auto use = [&](std::size_t, const Version& version) {
    is_there = is_live(version, moment);
    copy.take(version);
  };
  const auto done = [&](std::span<const std::byte> key) {
    copy.entry.key = key;
    if (is_there) code = loader_->put(copy.entry, true);
    return code == Errc{};
  };
  const bool is_sound = scan_at(
      scene_.system.memory, nullptr, std::span(&moment, 1), [&] { is_there = false; }, use, done);
  return code == Errc{} && !is_sound ? Errc::corrupt : code;
}

bool Maker::stop_writers(std::span<const IntentSource> writers) {
  if (purpose_ == Purpose::fork) return true;
  const BlockState state = purpose_ == Purpose::roll_back ? BlockState::moving : BlockState::sealed;
  scene_.system.life().store(life_of(1, state).word);
  return settle(scene_.system.memory, writers).has_value();
}

Errc Maker::finish() {
  Errc code{};
  if (purpose_ == Purpose::roll_back) code = rebuild_.change_back_from({kNow, kClockMs});
  if (purpose_ == Purpose::swap) code = rebuild_.advance({kNow, 0});
  if (purpose_ != Purpose::fork) rebuild_.end();
  loader_.reset();
  return code;
}

void Maker::publish() {
  const BlockState state = purpose_ == Purpose::swap ? BlockState::sealed : BlockState::active;
  scene_.system.life().store(life_of(2, state).word);
}

void Maker::run(std::span<const IntentSource> writers) {
  const auto must = [](bool is_done) {
    if (!is_done) std::abort();
  };
  if (purpose_ == Purpose::swap) must(stop_writers(writers));
  must(copy() == Errc{});
  if (purpose_ == Purpose::roll_back) must(stop_writers(writers));
  must(finish() == Errc{});
  publish();
}

void check_next(Purpose purpose, NextBlock& next, const Entries& present, std::uint64_t held,
                std::uint64_t step, Violations& violations) {
  check_fsck(next.system().memory, step, violations);
  const Entries all = entries_of(next.system().memory);
  const Entries now = live_of(all);
  const Entries last = live_of(present);
  const Entries then = held_by(present, held);
  if (purpose != Purpose::fork && held_by(all, held) != then) {
    violations.add("the checkpoint that came along shows something else", step);
  }
  if (purpose == Purpose::swap) {
    if (now != last) violations.add("the next generation is not what was sealed", step);
    return;
  }
  const std::uint64_t highest = std::max(highest_version(last), highest_version(then));
  for (const auto& [key, value] : now) {
    const auto before = then.find(key);
    if (before == then.end()) {
      violations.add("an entry that was not there at that moment", step);
      continue;
    }
    if (value.bytes != before->second.bytes) {
      violations.add("a value that was not there at that moment", step);
    }
    if (purpose == Purpose::fork) continue;
    const auto since = last.find(key);
    const bool is_same = since != last.end() && since->second == before->second;
    if (is_same ? value.version != before->second.version : value.version <= highest) {
      violations.add("an entry with the wrong version", step);
    }
  }
  if (now.size() != then.size()) violations.add("an entry of that moment is not there", step);
}

}  // namespace sessionblocks::crash
