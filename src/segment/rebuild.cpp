#include "segment/rebuild.hpp"

#include <algorithm>
#include <array>

namespace sessionblocks::segment {

namespace {

// What the present generation says that it gave out, beyond what it shows: instants of released
// checkpoints, versions of keys that are gone. More than this ahead is scribble.
constexpr std::uint64_t kFarAhead = std::uint64_t{1} << 48U;
constexpr std::uint64_t kFarInstant = std::uint64_t{1} << 20U;

}  // namespace

// Hands each key with what it was at each of the moments to `apply(key, sides)`.
template <typename Apply>
Errc Rebuild::compare(std::span<const Moment> moments, Apply&& apply) {
  std::array<Side, 2> sides;
  Errc failed{};
  const auto begin = [&] {
    for (Side& side : sides) side.is_there = false, side.entry.version = 0;
  };
  const auto use = [&](std::size_t which, const Version& version) {
    Side& side = sides[which];
    side.is_there = is_live(version, moments[which]);
    side.take(version);
  };
  const auto done = [&](std::span<const std::byte> key) {
    for (Side& side : sides) {
      side.entry.key = key;
      highest_version_ = std::max(highest_version_, side.entry.version);
    }
    failed = apply(key, sides);
    return failed == Errc{};
  };
  const bool is_sound = scan_at(*present_, nullptr, moments, begin, use, done);
  if (failed != Errc{}) return failed;
  return is_sound ? Errc{} : Errc::corrupt;
}

Errc Rebuild::advance(const Moment& moment) {
  if (!moment.is_now()) next_->begin_at(moment.instant, 0);
  const auto keep = [&](const Side& side) { return next_->put(side.entry, false); };
  Errc code{};
  if (!reached_) {
    code = compare(std::span(&moment, 1), [&](auto, const auto& sides) {
      return sides[0].is_there ? keep(sides[0]) : Errc{};
    });
  } else {
    const std::array moments = {*reached_, moment};
    code = compare(moments, [&](std::span<const std::byte> key, const auto& sides) {
      const auto& [before, after] = sides;
      const bool is_same = before.is_there && before.entry.version == after.entry.version;
      if (after.is_there && !is_same) return keep(after);
      if (after.is_there || before.entry.version == after.entry.version) return Errc{};
      if (before.is_there) {
        return next_->erase(key, {after.entry.version, after.entry.written_ms}, false);
      }
      // It came and went: an earlier moment may have left its tombstone, with an earlier version.
      return next_->forget(key, after.entry.version);
    });
  }
  reached_ = moment;
  return code;
}

Errc Rebuild::advance_and_pin(const Moment& moment) {
  const Errc code = advance(moment);
  if (code == Errc{}) next_->pin(moment.instant);
  return code;
}

Errc Rebuild::change_back_from(const Moment& now) {
  // First the versions: nothing that is changed back may get one that was given out.
  const std::array moments = {*reached_, now};
  Errc code = compare(moments, [](auto, const auto&) { return Errc{}; });
  if (code != Errc{}) return code;
  const std::uint64_t fresh = highest_version_ + 1;
  return compare(moments, [&](std::span<const std::byte> key, const auto& sides) {
    const auto& [then, since] = sides;
    const bool is_same = then.entry.version == since.entry.version;
    if (is_same && then.is_there == since.is_there) return Errc{};
    if (!then.is_there) {
      if (since.is_there) next_->record_erase(key, fresh);
      return next_->forget(key, fresh);
    }
    EntryBytes back = then.entry;
    back.version = fresh;
    back.written_ms = 0;
    return next_->put(back, true);
  });
}

Errc Rebuild::change(const EntryBytes& entry) {
  EntryBytes changed = entry;
  changed.version = highest_version_ + 1;
  return next_->put(changed, true);
}

Errc Rebuild::remove(std::span<const std::byte> key) {
  return next_->erase(key, {highest_version_ + 1, 0}, true);
}

void Rebuild::end() {
  const auto& from = present_->header();
  const auto& to = next_->memory().header();
  const auto plausible = [](std::uint64_t given, std::uint64_t least, std::uint64_t far) {
    return given - least < far ? given : least;
  };
  const std::uint64_t instant =
      plausible(from.snapshot_clock.load(std::memory_order_relaxed),
                to.snapshot_clock.load(std::memory_order_relaxed), kFarInstant);
  const std::uint64_t version = plausible(from.version_floor.load(std::memory_order_relaxed),
                                          highest_version_ + 2, kFarAhead);
  next_->begin_at(instant + 1, version);
}

}  // namespace sessionblocks::segment
