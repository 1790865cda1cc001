#include "segment/merge.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace sessionblocks::segment {

namespace {

using layout::ValueType;

constexpr std::string_view kBothChanged = "both sides changed it";
constexpr std::string_view kNoNumbers = "it is not a number, or not the same kind, on all sides";
constexpr std::string_view kOverflow = "the sum does not fit";

// An entry at one moment of one side.
struct Side : EntryCopy {
  bool is_known = false;  // there was a version, be it a tombstone
  bool is_live = false;

  void forget() noexcept {
    is_known = is_live = false;
    entry.version = entry.written_ms = entry.expiry_ms = 0;
  }
  void see(const Version& version, const Moment& moment) {
    take(version);
    is_known = true;
    is_live = segment::is_live(version, moment);
  }
};

bool equal(const Side& a, const Side& b) {
  if (!a.is_live || !b.is_live) return a.is_live == b.is_live;
  return a.entry.type == b.entry.type && a.entry.expiry_ms == b.entry.expiry_ms &&
         std::ranges::equal(a.entry.value, b.entry.value);
}

bool has_changed(const Side& base, const Side& now) {
  if (base.is_known && now.is_known && base.entry.version == now.entry.version) return false;
  return !equal(base, now);
}

// 0 of the type that is asked for, where there is nothing.
template <typename Number>
bool read_number(const Side& side, ValueType type, Number& number) {
  number = 0;
  if (!side.is_live) return true;
  if (side.entry.type != type || side.entry.value.size() != sizeof number) return false;
  std::memcpy(&number, side.entry.value.data(), sizeof number);
  return true;
}

struct Decision {
  enum class What : std::uint8_t { keep, take, combine, conflict } what = What::keep;
  std::array<std::byte, 8> number{};
  std::string_view why;
};
using What = Decision::What;

struct ThreeWay {
  const Side& base;  // the fork's
  const Side& theirs;
  const Side& ours;
};

Decision conflict(std::string_view why) {
  return {What::conflict, {}, why};
}

Decision add_integers(const ThreeWay& way) {
  std::int64_t base = 0;
  std::int64_t theirs = 0;
  std::int64_t ours = 0;
  if (!read_number(way.base, ValueType::integer, base) ||
      !read_number(way.theirs, ValueType::integer, theirs) ||
      !read_number(way.ours, ValueType::integer, ours)) {
    return conflict(kNoNumbers);
  }
  __extension__ using Wide = __int128;
  const Wide sum = Wide{ours} + theirs - base;
  if (sum > std::numeric_limits<std::int64_t>::max() ||
      sum < std::numeric_limits<std::int64_t>::min()) {
    return conflict(kOverflow);
  }
  const auto number = static_cast<std::int64_t>(sum);
  Decision decision{What::combine, {}, {}};
  std::memcpy(decision.number.data(), &number, sizeof number);
  return decision;
}

Decision add_reals(const ThreeWay& way) {
  double base = 0;
  double theirs = 0;
  double ours = 0;
  if (!read_number(way.base, ValueType::real, base) ||
      !read_number(way.theirs, ValueType::real, theirs) ||
      !read_number(way.ours, ValueType::real, ours)) {
    return conflict(kNoNumbers);
  }
  const double number = ours + (theirs - base);
  Decision decision{What::combine, {}, {}};
  std::memcpy(decision.number.data(), &number, sizeof number);
  return decision;
}

ValueType type_of(const ThreeWay& way) {
  for (const Side* side : {&way.theirs, &way.ours, &way.base}) {
    if (side->is_live) return side->entry.type;
  }
  return ValueType::tombstone;
}

Decision add(const ThreeWay& way) {
  const ValueType type = type_of(way);
  if (type == ValueType::integer) return add_integers(way);
  return type == ValueType::real ? add_reals(way) : conflict(kNoNumbers);
}

template <typename Number>
Decision larger(const ThreeWay& way, ValueType type) {
  Number theirs{};
  Number ours{};
  if (!read_number(way.theirs, type, theirs) || !read_number(way.ours, type, ours)) {
    return conflict(kNoNumbers);
  }
  const bool takes = way.theirs.is_live && (!way.ours.is_live || theirs > ours);
  return {takes ? What::take : What::keep, {}, {}};
}

Decision larger(const ThreeWay& way) {
  const ValueType type = type_of(way);
  if (type == ValueType::integer) return larger<std::int64_t>(way, type);
  return type == ValueType::real ? larger<double>(way, type) : conflict(kNoNumbers);
}

// Both sides came to the same: that is no conflict. Two counters that count the same count double.
Decision decide(JoinPolicy policy, const ThreeWay& way) {
  const bool is_same = equal(way.theirs, way.ours);
  if (is_same && policy != JoinPolicy::add) return {What::keep, {}, {}};
  switch (policy) {
    case JoinPolicy::ours:
      return {What::keep, {}, {}};
    case JoinPolicy::theirs:
      return {What::take, {}, {}};
    case JoinPolicy::add: {
      const Decision sum = add(way);
      return is_same && sum.why == kNoNumbers ? Decision{} : sum;
    }
    case JoinPolicy::max:
      return larger(way);
    case JoinPolicy::newest:
      return {way.theirs.entry.written_ms >= way.ours.entry.written_ms ? What::take : What::keep,
              {},
              {}};
    case JoinPolicy::refuse:
      break;
  }
  return conflict(kBothChanged);
}

class Merging {
 public:
  Merging(const MergeSides& sides, const PolicyOfKey& policy_of, const MergeSink& sink,
          MergeReport& report)
      : sides_(sides), policy_of_(policy_of), sink_(sink), report_(report) {}

  [[nodiscard]] Errc run() {
    const std::array moments = {sides_.fork_base, Moment{kNow, sides_.now_ms}};
    Errc failed{};
    const auto begin = [&] {
      base_.forget();
      theirs_.forget();
    };
    const auto use = [&](std::size_t which, const Version& version) {
      (which == 0 ? base_ : theirs_).see(version, moments[which]);
    };
    const auto done = [&](std::span<const std::byte> key) {
      if (has_changed(base_, theirs_)) failed = merge(key);
      return failed == Errc{};
    };
    const bool is_sound = scan_at(*sides_.fork, nullptr, moments, begin, use, done);
    if (failed != Errc{}) return failed;
    return is_sound ? Errc{} : Errc::corrupt;
  }

 private:
  [[nodiscard]] Errc merge(std::span<const std::byte> key) {
    if (!look(key, sides_.origin_base, ours_base_)) return Errc::corrupt;
    if (!look(key, {kNow, sides_.now_ms}, ours_)) return Errc::corrupt;
    if (!has_changed(ours_base_, ours_)) return take(key);
    const Decision decision = decide(policy_of_(key), {base_, theirs_, ours_});
    switch (decision.what) {
      case What::keep:
        ++report_.kept;
        return Errc{};
      case What::take:
        return take(key);
      case What::combine:
        return put(key, decision.number);
      case What::conflict:
        break;
    }
    ++report_.conflicts;
    if (report_.named.size() < kMostConflictsNamed) {
      report_.named.push_back({{key.begin(), key.end()}, decision.why});
    }
    return Errc{};
  }

  [[nodiscard]] bool look(std::span<const std::byte> key, const Moment& moment, Side& side) const {
    side.forget();
    const auto size = static_cast<std::uint32_t>(key.size());
    const std::uint64_t seed = sides_.origin->header().hash_seed;
    const KeyView view{key.data(), size, hash_key(key.data(), size, seed)};
    const Found found =
        lookup_at(*sides_.origin, view, moment.instant, nullptr, [&](const Version& version) {
          side.forget();
          side.see(version, moment);
        });
    return found != Found::corrupt;
  }

  [[nodiscard]] Errc take(std::span<const std::byte> key) {
    if (!theirs_.is_live) return ++report_.erased, sink_.erase(key);
    ++report_.taken;
    theirs_.entry.key = key;
    return sink_.put(theirs_.entry);
  }

  [[nodiscard]] Errc put(std::span<const std::byte> key, std::span<const std::byte> number) {
    ++report_.combined;
    const Side& like = ours_.is_live ? ours_ : theirs_.is_live ? theirs_ : base_;
    return sink_.put({key, like.entry.type, number, 0, like.entry.expiry_ms, 0});
  }

  const MergeSides& sides_;
  const PolicyOfKey& policy_of_;
  const MergeSink& sink_;
  MergeReport& report_;
  Side base_;  // of the fork
  Side theirs_;
  Side ours_base_;
  Side ours_;
};

}  // namespace

Errc merge(const MergeSides& sides, const PolicyOfKey& policy_of, const MergeSink& sink,
           MergeReport& report) {
  return Merging(sides, policy_of, sink, report).run();
}

}  // namespace sessionblocks::segment
