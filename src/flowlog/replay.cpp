#include "flowlog/replay.hpp"

#include <algorithm>

#include "layout/node.hpp"

namespace sessionblocks::flowlog {

namespace {

bool is_removal(const Change& change) noexcept {
  constexpr auto kTombstone = static_cast<std::uint8_t>(layout::ValueType::tombstone);
  return change.op == Op::erase || change.op == Op::get_and_erase || change.op == Op::evict ||
         (change.value && change.value->type == kTombstone);
}

// Whether `before` is what the change built upon. Parts of one value that a generation was filled
// with have one version.
bool is_base(const ReplayEntry& before, const Change& change) noexcept {
  const std::uint64_t step = change.op == Op::define_key ? 0 : 1;
  return before.is_known && before.version + step == change.version &&
         before.value.size() >= change.value->kept_bytes;
}

}  // namespace

void Replay::set(const std::string& key, std::optional<ReplayEntry> entry) {
  const auto at = entries_.find(key);
  std::optional<ReplayEntry> before;
  if (at != entries_.end()) before = std::move(at->second);
  if (undo_.back().all == std::nullopt) undo_.back().keys.emplace_back(key, std::move(before));
  if (!entry) {
    if (at != entries_.end()) entries_.erase(at);
  } else if (at != entries_.end()) {
    at->second = std::move(*entry);
  } else {
    entries_.emplace(key, std::move(*entry));
  }
}

void Replay::apply(const Change& change) {
  if (is_removal(change)) return set(change.key, std::nullopt);
  const auto at = entries_.find(change.key);
  const ReplayEntry* const before = at == entries_.end() ? nullptr : &at->second;
  ReplayEntry entry;
  entry.version = change.version;
  entry.offset_ms = change.offset_ms;
  if (!change.value) {
    // Of an entry that a generation was filled with, its definition had the value.
    if (before != nullptr && before->version == change.version) return;
    entry.is_known = false;
    return set(change.key, std::move(entry));
  }
  const LoggedValue& value = *change.value;
  entry.type = value.type;
  entry.expiry_ms = value.expiry_ms;
  if (value.kept_bytes != 0) {
    entry.is_known = before != nullptr && is_base(*before, change);
    if (entry.is_known) entry.value = before->value.substr(0, value.kept_bytes);
  }
  if (entry.is_known) entry.value += value.bytes;
  set(change.key, std::move(entry));
}

void Replay::forward() {
  const ReplayStep& step = steps_[moment_];
  Undo& undo = undo_.emplace_back();
  undo.generation = generation_;
  if (step.kind != StepKind::change) undo.all = std::exchange(entries_, {});
  if (step.kind == StepKind::generation) generation_ = step.generation;
  for (const Change& change : step.changes) apply(change);
  ++moment_;
}

void Replay::back() {
  Undo undo = std::move(undo_.back());
  undo_.pop_back();
  --moment_;
  generation_ = undo.generation;
  if (undo.all) {
    entries_ = std::move(*undo.all);
    return;
  }
  for (auto at = undo.keys.rbegin(); at != undo.keys.rend(); ++at) {
    if (at->second) {
      entries_.insert_or_assign(at->first, std::move(*at->second));
    } else {
      entries_.erase(at->first);
    }
  }
}

void Replay::seek(std::size_t moment) {
  const std::size_t wanted = std::min(moment, steps_.size());
  while (moment_ < wanted) forward();
  while (moment_ > wanted) back();
}

ReplayEntries Replay::entries_at(std::int64_t unix_ms) const {
  ReplayEntries live = entries_;
  std::erase_if(live, [&](const auto& entry) { return !entry.second.is_live(unix_ms); });
  return live;
}

std::int64_t Replay::unix_ms() const noexcept {
  return moment_ == 0 ? 0 : steps_[moment_ - 1].unix_ms;
}

std::size_t Replay::moment_at(std::int64_t unix_ms) const noexcept {
  const auto later = std::find_if(steps_.begin(), steps_.end(),
                                  [&](const ReplayStep& step) { return step.unix_ms > unix_ms; });
  return static_cast<std::size_t>(later - steps_.begin());
}

std::optional<std::size_t> Replay::moment_after(LaneRef lane,
                                                std::uint64_t sequence) const noexcept {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const bool has_it = std::any_of(
        steps_[i].changes.begin(), steps_[i].changes.end(),
        [&](const Change& change) { return change.lane == lane && change.sequence == sequence; });
    if (has_it) return i + 1;
  }
  return std::nullopt;
}

std::vector<KeyDifference> Replay::difference(std::size_t before, std::size_t after) {
  seek(before);
  const ReplayEntries first = moment_ == 0 ? ReplayEntries() : entries_at(unix_ms());
  seek(after);
  const ReplayEntries second = moment_ == 0 ? ReplayEntries() : entries_at(unix_ms());
  std::vector<KeyDifference> found;
  for (const auto& [key, entry] : first) {
    const auto at = second.find(key);
    if (at == second.end()) {
      found.push_back({key, entry, std::nullopt});
    } else if (at->second != entry) {
      found.push_back({key, entry, at->second});
    }
  }
  for (const auto& [key, entry] : second) {
    if (!first.contains(key)) found.push_back({key, std::nullopt, entry});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  return found;
}

}  // namespace sessionblocks::flowlog
