// Reading a block at its checkpoints.
#include <sessionblocks/checkpoint.hpp>

#include "session/entry_value.hpp"
#include "session/succession.hpp"

#include <array>
#include <vector>

namespace sessionblocks {

using segment::Moment;

namespace {

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Every entry that was there, with its value.
class EntryVisitor final : public MomentVisitor {
 public:
  EntryVisitor(const Moment& moment, std::string_view prefix,
               const std::function<bool(const EntryView&)>& callback)
      : moment_(moment), prefix_(prefix), callback_(callback) {}

  void begin() override { seen_ = {}; }
  void use(std::size_t /*which*/, const segment::Version& version) override {
    seen_ = Seen::of(version, moment_);
    bytes_.resize((version.shape.value_bytes + 7) & ~std::size_t{7});
    copy_out(bytes_.data(),
             reinterpret_cast<const std::byte*>(version.node) + version.shape.value_at(),
             version.shape.value_bytes);
  }
  const Seen* wants(std::string_view key) override {
    return seen_.is_live && key.starts_with(prefix_) ? &seen_ : nullptr;
  }
  bool show(std::string_view key) override {
    if (!callback_) return true;
    std::optional<std::chrono::milliseconds> left;
    if (seen_.expiry_ms != 0) left = std::chrono::milliseconds(seen_.expiry_ms - moment_.clock_ms);
    return callback_({key,
                      static_cast<Type>(seen_.type),
                      {bytes_.data(), seen_.value_bytes},
                      static_cast<Version>(seen_.version),
                      left});
  }

 private:
  Moment moment_;
  std::string_view prefix_;
  const std::function<bool(const EntryView&)>& callback_;
  Seen seen_;
  std::vector<std::byte> bytes_;
};

// Every entry that is not the same at both moments.
class DifferenceVisitor final : public MomentVisitor {
 public:
  DifferenceVisitor(const std::array<Moment, 2>& moments,
                    const std::function<bool(const Difference&)>& callback)
      : moments_(moments), callback_(callback) {}

  void begin() override { seen_ = {}; }
  void use(std::size_t which, const segment::Version& version) override {
    seen_[which] = Seen::of(version, moments_[which]);
  }
  const Seen* wants(std::string_view /*key*/) override {
    const auto& [before, after] = seen_;
    if (before.is_live == after.is_live && (!after.is_live || before.version == after.version)) {
      return nullptr;
    }
    return after.is_live ? &after : &before;
  }
  bool show(std::string_view key) override {
    const auto& [before, after] = seen_;
    Difference found;
    found.key = key;
    if (before.is_live) found.before = static_cast<Version>(before.version);
    if (after.is_live) found.after = static_cast<Version>(after.version);
    found.change = !before.is_live  ? Change::added
                   : !after.is_live ? Change::removed
                                    : Change::changed;
    return callback_(found);
  }

 private:
  std::array<Moment, 2> moments_;
  const std::function<bool(const Difference&)>& callback_;
  std::array<Seen, 2> seen_;
};

// What only checkpoints hold of every entry: the version of this one, when it is not the newest.
class HeldVisitor final : public MomentVisitor {
 public:
  void begin() override { versions_ = {}; }
  void use(std::size_t which, const segment::Version& version) override {
    versions_[which] = {version.offset, segment::heap_bytes_of(version)};
  }
  const Seen* wants(std::string_view /*key*/) override {
    const auto& [held, newest] = versions_;
    if (held.offset != newest.offset) bytes += held.bytes;
    return nullptr;
  }
  bool show(std::string_view /*key*/) override { return true; }

  std::uint64_t bytes = 0;

 private:
  struct Place {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
  };
  std::array<Place, 2> versions_;
};

Error lost(const Checkpoint& checkpoint, const BlockHandle& block) {
  return {Errc::no_such_checkpoint,
          checkpoint.name + " of block " + block.name() +
              " is not held any more; checkpoints() lists those that are"};
}

}  // namespace

std::string_view change_name(Change change) noexcept {
  switch (change) {
    case Change::added:
      return "added";
    case Change::changed:
      return "changed";
    case Change::removed:
      return "removed";
  }
  return "same";
}

// What had expired when it was taken: by the realtime clock, which says when that was.
Moment BlockHandle::moment_of(const Checkpoint& checkpoint) const noexcept {
  const std::int64_t offset_ms =
      session_->control().header.realtime_offset_ms.load(std::memory_order_relaxed);
  const auto taken =
      std::chrono::duration_cast<std::chrono::milliseconds>(checkpoint.taken.time_since_epoch());
  const std::int64_t clock_ms = std::max<std::int64_t>(taken.count() - offset_ms, 0);
  return {checkpoint.instant, static_cast<std::uint64_t>(clock_ms)};
}

template <typename Copy>
ReadResult BlockHandle::read_at(const Moment& moment, const Key& key, Copy copy) {
  ReadResult read;
  const Operation operation(*this, key.size(), false);
  read.code = operation.code();
  if (read.code != Errc{}) return read;
  Lane& lane = operation.lane();
  const segment::KeyView view = view_of(key);
  const auto use = [&](const segment::Version& version) {
    read.seen = Seen::of(version, moment);
    const auto* const bytes = reinterpret_cast<const std::byte*>(version.node);
    read.code =
        read.seen.is_live ? copy(bytes + version.shape.value_at(), read.seen) : Errc::not_found;
  };
  const segment::Found found =
      segment::lookup_at(*memory_, view, moment.instant, &lane_block(lane).hazard, use);
  if (found == segment::Found::absent) read = {Errc::not_found, Seen{}};
  if (!segment::is_held(*memory_, moment)) {
    read = {Errc::no_such_checkpoint, Seen{}};
  } else if (found == segment::Found::corrupt || read.code == Errc::corrupt) {
    read.code = corrupt();
  }
  if (is_corrupt_.load(std::memory_order_relaxed)) read.code = corrupt();
  record_read(lane, Op::get, view, read.code, read.seen, platform::monotonic_coarse_ms());
  return read;
}

Result<std::uint64_t> BlockHandle::walk_at(std::span<const Moment> moments,
                                           MomentVisitor& visitor) {
  const Operation operation(*this, 1, false);
  if (operation.code() != Errc{}) return fail(operation.code());
  Lane& lane = operation.lane();
  std::uint64_t shown = 0;
  Errc stopped{};
  const auto all_held = [&] {
    return std::all_of(moments.begin(), moments.end(),
                       [&](const Moment& moment) { return segment::is_held(*memory_, moment); });
  };
  const auto done = [&](std::span<const std::byte> key) {
    // A record of what no writer leaves would make the log refuse the rest of ours.
    if (key.empty() || key.size() > kMaxKeyBytes) stopped = Errc::corrupt;
    const Seen* const seen = stopped == Errc{} ? visitor.wants(text_of(key)) : nullptr;
    if (seen == nullptr) return stopped == Errc{};
    if (!all_held()) stopped = Errc::no_such_checkpoint;
    if (stopped == Errc{} && audit_ == AuditLevel::full)
      stopped = make_room(lane, segment::Writer::cells_needed(key.size()));
    if (stopped != Errc{}) return false;
    const segment::KeyView record_key{key.data(), static_cast<std::uint32_t>(key.size()), 0};
    record_read(lane, Op::for_each, record_key, Errc{}, *seen, platform::monotonic_coarse_ms());
    ++shown;
    return visitor.show(text_of(key));
  };
  const bool is_sound = segment::scan_at(
      *memory_, &lane_block(lane).hazard, moments, [&] { visitor.begin(); },
      [&](std::size_t which, const segment::Version& version) { visitor.use(which, version); },
      done);
  if (!all_held()) stopped = Errc::no_such_checkpoint;
  const bool is_damaged = !is_sound && stopped == Errc{};
  if (stopped == Errc::corrupt || is_damaged || is_corrupt_.load(std::memory_order_relaxed)) {
    stopped = corrupt();
  }
  if (stopped != Errc{}) return fail(stopped, "block " + name_);
  return shown;
}

BlockAt::BlockAt(BlockLink link, Checkpoint checkpoint) noexcept
    : link_(std::move(link)), checkpoint_(std::move(checkpoint)) {}
BlockAt::BlockAt(BlockAt&&) noexcept = default;
BlockAt& BlockAt::operator=(BlockAt&&) noexcept = default;
BlockAt::~BlockAt() = default;

namespace {

// Walks with `visitor`; nothing is repeated once it showed something.
Result<std::uint64_t> walk_now(const BlockLink& link, std::span<const Moment> moments,
                               MomentVisitor& visitor, const bool& has_run) {
  return on_now_unless(has_run, link, [&](BlockHandle& block) {
    return catching_bad_alloc([&] { return block.walk_at(moments, visitor); });
  });
}

}  // namespace

template <EntryValue T>
Result<Entry<T>> BlockAt::get(const Key& key) const {
  return on_now(link_, [&](BlockHandle& block) {
    return catching_bad_alloc([&]() -> Result<Entry<T>> {
      Entry<T> entry;
      const Moment moment = block.moment_of(checkpoint_);
      const auto [code, seen] =
          block.read_at(moment, key, [&](const std::byte* bytes, const Seen& at) {
            return take_value(entry.value, at.type, bytes, at.value_bytes);
          });
      if (code == Errc::wrong_type) {
        return tl::unexpected(wrong_type(seen.type, wanted_name<T>(), key, block));
      }
      if (code == Errc::no_such_checkpoint) return tl::unexpected(lost(checkpoint_, block));
      if (code != Errc{}) return tl::unexpected(error_of(code, "get", key, block));
      entry.version = static_cast<Version>(seen.version);
      if (seen.expiry_ms != 0) {
        entry.expires_in = std::chrono::milliseconds(seen.expiry_ms - moment.clock_ms);
      }
      return entry;
    });
  });
}
template Result<Entry<std::string>> BlockAt::get<std::string>(const Key& key) const;
template Result<Entry<Bytes>> BlockAt::get<Bytes>(const Key& key) const;
template Result<Entry<std::int64_t>> BlockAt::get<std::int64_t>(const Key& key) const;
template Result<Entry<double>> BlockAt::get<double>(const Key& key) const;
template Result<Entry<bool>> BlockAt::get<bool>(const Key& key) const;
template Result<Entry<Value>> BlockAt::get<Value>(const Key& key) const;

Result<std::size_t> BlockAt::get_into(const Key& key, std::span<std::byte> buffer) const {
  return on_now(link_, [&](BlockHandle& block) {
    return catching_bad_alloc([&]() -> Result<std::size_t> {
      const auto [code, seen] = block.read_at(block.moment_of(checkpoint_), key,
                                              [&](const std::byte* bytes, const Seen& at) {
                                                if (at.value_bytes > buffer.size())
                                                  return Errc::buffer_too_small;
                                                copy_out(buffer.data(), bytes, at.value_bytes);
                                                return Errc{};
                                              });
      if (code == Errc{}) return seen.value_bytes;
      if (code == Errc::buffer_too_small) return fail(code, seen.value_bytes);
      if (code == Errc::no_such_checkpoint) return tl::unexpected(lost(checkpoint_, block));
      return tl::unexpected(error_of(code, "get_into", key, block));
    });
  });
}

Result<std::uint64_t> BlockAt::for_each(
    std::string_view prefix, const std::function<bool(const EntryView&)>& callback) const {
  bool has_run = false;
  const auto noted = noting(callback, has_run);
  const std::array moments = {link_.now().moment_of(checkpoint_)};
  EntryVisitor visitor(moments[0], prefix, noted);
  return walk_now(link_, moments, visitor, has_run);
}

Result<std::uint64_t> BlockAt::diff(const BlockAt& later,
                                    const std::function<bool(const Difference&)>& callback) const {
  if (link_.now().id() != later.link_.now().id()) {
    return fail(Errc::invalid_argument, "diff: checkpoints of two blocks, " + link_.now().name() +
                                            " and " + later.link_.now().name());
  }
  bool has_run = false;
  const auto noted = noting(callback, has_run);
  const std::array moments = {link_.now().moment_of(checkpoint_),
                              link_.now().moment_of(later.checkpoint_)};
  DifferenceVisitor visitor(moments, noted);
  return walk_now(link_, moments, visitor, has_run);
}

Result<std::uint64_t> BlockAt::diff_to_now(
    const std::function<bool(const Difference&)>& callback) const {
  bool has_run = false;
  const auto noted = noting(callback, has_run);
  const std::array moments = {link_.now().moment_of(checkpoint_),
                              Moment{segment::kNow, platform::monotonic_coarse_ms()}};
  DifferenceVisitor visitor(moments, noted);
  return walk_now(link_, moments, visitor, has_run);
}

Result<std::uint64_t> BlockAt::held_bytes() const {
  const std::array moments = {link_.now().moment_of(checkpoint_), Moment{segment::kNow, 0}};
  return on_now(link_, [&](BlockHandle& block) {
    return catching_bad_alloc([&]() -> Result<std::uint64_t> {
      HeldVisitor visitor;
      const auto walked = block.walk_at(moments, visitor);
      if (!walked) return walked;
      return visitor.bytes;
    });
  });
}

}  // namespace sessionblocks
