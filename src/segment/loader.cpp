#include "segment/loader.hpp"

#include <algorithm>
#include <bit>

namespace sessionblocks::segment {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;  // nobody else has the block open

}  // namespace

Loader::Loader(const Place& place)
    : place_(place),
      lane_(std::make_unique<layout::LaneHead>()),
      writer_({place.memory, place.readers, &life_, lane_.get(), place.records.ring,
               place.records.open, place.owner}) {}

Loader::~Loader() {
  writer_.leave();
}

void Loader::expect(std::uint64_t entries) {
  // At most half full, so that nothing is moved until it is there.
  const auto log2 = static_cast<unsigned>(std::bit_width(std::max<std::uint64_t>(entries, 1) * 2));
  const unsigned wanted = std::min(log2, layout::kMaxTableLog2);
  if (wanted <= layout::kMinTableLog2) return;
  // Where there is no memory for it the index grows as it goes.
  if (writer_.growth().prepare_next(wanted) && writer_.growth().begin_now()) {
    (void)writer_.growth().finish();
  }
}

void Loader::expect_like(const BlockMemory& block) {
  Tables tables;
  if (!load_tables(block, tables)) return;
  const std::uint64_t claimed = block.header().claimed_slots.load(kRelaxed);
  expect(std::min(claimed, tables.current_view.mask + 1));
}

KeyView Loader::view_of(std::span<const std::byte> key) const noexcept {
  return {key.data(), static_cast<std::uint32_t>(key.size()),
          hash_key(key.data(), key.size(), place_.memory->header().hash_seed)};
}

Errc Loader::put(const EntryBytes& entry, bool is_new) {
  if (entry.key.empty() || entry.key.size() > layout::kMaxKeyBytes) return Errc::invalid_key;
  Mutation mutation;
  mutation.op = Op::put;
  mutation.type = entry.type;
  mutation.value = entry.value;
  if (entry.expiry_ms != 0) {
    mutation.expiry = ExpiryRule::at;
    mutation.expires_at_ms = entry.expiry_ms;
  }
  const KeyView key = view_of(entry.key);
  Outcome outcome;
  const Errc code = apply(key, mutation, {entry.version, entry.written_ms}, outcome);
  if (code == Errc{}) define(key, outcome, entry);
  if (code == Errc{}) record(Op::put, key, outcome, is_new);
  return code;
}

Errc Loader::erase(std::span<const std::byte> name, const Origin& origin, bool is_new) {
  Mutation mutation;
  mutation.op = Op::erase;
  const KeyView key = view_of(name);
  Outcome outcome;
  const Errc code = apply(key, mutation, origin, outcome);
  if (code == Errc::not_found) return Errc{};
  EntryBytes nothing;
  nothing.type = layout::ValueType::tombstone;
  if (code == Errc{}) define(key, outcome, nothing);
  if (code == Errc{}) record(Op::erase, key, outcome, is_new);
  return code;
}

Errc Loader::forget(std::span<const std::byte> name, std::uint64_t version) {
  Mutation mutation;
  mutation.op = Op::erase;  // of what has expired, and is there for an earlier checkpoint
  const KeyView key = view_of(name);
  Outcome outcome;
  const Errc code = apply(key, mutation, {version, 0}, outcome);
  if (code != Errc::not_found) return code;
  SlotView view;
  const auto raise = [&](const SlotView& slot) {
    auto& there = slot.node->version;
    there.store(std::max(there.load(kRelaxed), version), kRelaxed);
  };
  const bool is_sound = lookup(*place_.memory, key, nullptr, view, raise) != Found::corrupt;
  return is_sound ? Errc{} : Errc::corrupt;
}

// Nothing has expired for it: what is put here is there, and is put at time 0.
Errc Loader::apply(const KeyView& key, const Mutation& mutation, const Origin& origin,
                   Outcome& outcome) {
  writer_.apply(key, mutation, active_, false, 0, outcome);
  if (outcome.code != Errc{}) return outcome.code;
  const std::uint64_t written_ms =
      origin.written_ms != 0 ? origin.written_ms : platform::monotonic_coarse_ms();
  SlotView view;
  const auto keep_origin = [&](const SlotView& slot) {
    if (origin.version != 0) slot.node->version.store(origin.version, kRelaxed);
    const std::uint64_t instant = layout::Stamp::unpack(slot.node->stamp.load(kRelaxed)).instant;
    slot.node->stamp.store(layout::Stamp{instant, written_ms}.pack(), kRelaxed);
  };
  if (lookup(*place_.memory, key, nullptr, view, keep_origin) != Found::hit) return Errc::corrupt;
  if (origin.version != 0) outcome.version = origin.version;
  return Errc{};
}

// A value that is longer than one record takes comes in several, each of which says how much of it
// stands in those before.
void Loader::define(const KeyView& key, const Outcome& outcome, const EntryBytes& entry) {
  constexpr std::uint64_t kMostAtOnce = std::uint64_t{64} << 10U;
  if (!place_.records.logs_values) return;
  AuditRingWriter* const ring = place_.records.ring;
  const std::uint64_t now_ms = platform::monotonic_coarse_ms();
  std::uint64_t done = 0;
  do {
    const std::uint64_t bytes = std::min<std::uint64_t>(kMostAtOnce, entry.value.size() - done);
    if (!has_room(key, bytes)) return;
    layout::ValueDetail detail{};
    detail.expiry_ms = entry.expiry_ms;
    detail.kept_bytes = done;
    detail.logged_bytes = bytes;
    detail.time_ms = static_cast<std::uint32_t>(now_ms);
    detail.type = static_cast<std::uint8_t>(entry.type);
    ring->lay_value(detail, entry.value.subspan(done, bytes), key_cells(key.size));
    ring->push_with_key_and_value(make_record(place_.records.open, Op::define_key, Errc{},
                                              outcome.key_id, outcome.version, 0, now_ms),
                                  key.bytes(), bytes);
    done += bytes;
  } while (done < entry.value.size());
}

void Loader::record(Op op, const KeyView& key, const Outcome& outcome, bool is_new) {
  if (place_.records.logs_values && !is_new) return;  // define() said it
  if (!has_room(key)) return;
  AuditRingWriter* const ring = place_.records.ring;
  const std::uint16_t open = place_.records.open;
  const std::uint64_t now_ms = platform::monotonic_coarse_ms();
  ring->push_with_key(
      make_record(open, Op::define_key, Errc{}, outcome.key_id, outcome.version, 0, now_ms),
      key.bytes());
  if (!is_new) return;
  ring->push(
      make_record(open, op, Errc{}, outcome.key_id, outcome.version, outcome.value_bytes, now_ms));
}

void Loader::record_erase(std::span<const std::byte> name, std::uint64_t version) {
  const KeyView key = view_of(name);
  if (!has_room(key)) return;
  place_.records.ring->push_with_key(make_record(place_.records.open, Op::erase, Errc{}, 0, version,
                                                 0, platform::monotonic_coarse_ms()),
                                     name);
}

// False: nothing is recorded.
bool Loader::has_room(const KeyView& key, std::uint64_t value_bytes) {
  AuditRingWriter* const ring = place_.records.ring;
  if (ring == nullptr) return false;
  const std::uint64_t cells = Writer::cells_needed(key.size) + value_cells(value_bytes);
  return ring->has_room(cells) || (place_.records.make_room() && ring->has_room(cells));
}

void Loader::pin(std::uint64_t instant) {
  auto& header = place_.memory->header();
  const std::uint64_t held = header.pin_count.load(kRelaxed);
  header.pins[held].store(instant, kRelaxed);
  header.pin_count.store(held + 1, kRelaxed);
  header.snapshot_clock.store(instant + 1, kRelaxed);
}

void Loader::begin_at(std::uint64_t instant, std::uint64_t version) {
  auto& header = place_.memory->header();
  header.snapshot_clock.store(std::max(instant, header.snapshot_clock.load(kRelaxed)), kRelaxed);
  header.version_floor.store(std::max(version, header.version_floor.load(kRelaxed)), kRelaxed);
}

}  // namespace sessionblocks::segment
