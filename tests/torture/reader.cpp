#include "roles.hpp"

namespace sessionblocks::torture {
namespace {

// What a value is to the oracle; false: no value that anybody writes.
void take(JournalEntry& entry, bool is_counter, std::span<const std::byte> bytes) {
  entry.bytes = static_cast<std::uint32_t>(bytes.size());
  if (is_counter) {
    entry.torn = bytes.size() == 8 ? 0 : 1;
    if (entry.torn == 0) std::memcpy(&entry.seen, bytes.data(), 8);
    return;
  }
  const auto content = content_of(bytes);
  entry.torn = content ? 0 : 1;
  entry.seen = content.value_or(0);
}

void take(JournalEntry& entry, const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    take(entry, true, std::as_bytes(std::span(number, 1)));
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    take(entry, false, std::as_bytes(std::span(*text)));
  } else {
    entry.torn = 1;
  }
}

template <typename T>
Errc code_of(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

Errc get_value(Place& place, JournalEntry& entry) {
  const auto got = place.block.get<Value>(place.keys.name(entry.key));
  if (!got) return got.error().code();
  entry.version = raw_version(got->version);
  const bool is_counter = std::holds_alternative<std::int64_t>(got->value);
  take(entry, got->value);
  if (is_counter != place.keys.is_counter(entry.key)) entry.torn = 1;
  return Errc{};
}

Errc get_bytes(Place& place, JournalEntry& entry) {
  static std::vector<std::byte> buffer(kMostBytes * 2);
  const auto bytes = place.block.get_into(place.keys.name(entry.key), buffer);
  if (!bytes) return bytes.error().code();
  take(entry, place.keys.is_counter(entry.key), std::span(buffer).first(*bytes));
  return Errc{};
}

Errc visit(Place& place, JournalEntry& entry) {
  const auto version =
      place.block.visit(place.keys.name(entry.key), [&](std::span<const std::byte> bytes) {
        take(entry, place.keys.is_counter(entry.key), bytes);
      });
  if (!version) return version.error().code();
  entry.version = raw_version(*version);
  return Errc{};
}

Errc contains(Place& place, JournalEntry& entry) {
  const auto found = place.block.contains(place.keys.name(entry.key));
  if (!found) return found.error().code();
  return *found ? Errc{} : Errc::not_found;
}

void scan(Place& place) {
  const std::uint64_t start_ms = platform::monotonic_coarse_ms();
  const std::uint64_t start_ns = platform::monotonic_ns();
  static constexpr std::array kPrefixes = {"text/", "count/", "own", "brief/", "passing/", ""};
  const std::string prefix = kPrefixes[place.random() % kPrefixes.size()];
  const auto show = [&](const EntryView& view) {
    JournalEntry entry{};
    entry.act = static_cast<std::uint8_t>(Act::scanned);
    entry.start_ns = start_ns;
    entry.start_ms = start_ms;
    entry.key = place.keys.find(view.key);
    entry.version = raw_version(view.version);
    take(entry, view.type == Type::integer, view.value);
    if (entry.key == KeySet::kNone || !view.key.starts_with(prefix)) entry.torn = 1;
    entry.end_ns = platform::monotonic_ns();
    entry.end_ms = platform::monotonic_coarse_ms();
    place.recorder.add(entry);
    return place.board.pause.load(std::memory_order_relaxed) == 0;
  };
  const auto shown = place.block.for_each(prefix, show);
  if (shown) return;
  JournalEntry failed = note_of(Act::scanned, 0);
  failed.start_ns = start_ns;
  failed.start_ms = start_ms;
  failed.outcome = static_cast<std::uint16_t>(shown.error().code());
  place.recorder.add(failed);
}

}  // namespace

std::uint64_t read_one(Place& place, std::uint32_t key) {
  struct Way {
    Op op;
    Errc (*read)(Place&, JournalEntry&);
  };
  static constexpr std::array kWays = {Way{Op::get, get_value}, Way{Op::get, get_value},
                                       Way{Op::get, get_bytes}, Way{Op::visit, visit},
                                       Way{Op::contains, contains}};
  const Way& way = kWays[place.random() % kWays.size()];
  JournalEntry& entry = place.recorder.next(way.op, key);
  place.recorder.begin_now(entry);
  const Errc outcome = way.read(place, entry);
  place.recorder.end(entry, outcome);
  return outcome == Errc{} ? entry.version : 0;
}

void read_things(Place& place) {
  // Every class is read, the large one of the passing keys not most of the time.
  while (place.recorder.may_go_on()) {
    const std::uint64_t dice = place.random();
    if (dice % 4'096 == 0) {
      scan(place);
      continue;
    }
    const auto of = static_cast<KeyClass>(dice / 4'096 % kKeyClasses);
    const KeySet::Range range = place.keys.all(of);
    if (range.count == 0) continue;
    static_cast<void>(
        read_one(place, range.first + static_cast<std::uint32_t>(place.random() % range.count)));
  }
}

}  // namespace sessionblocks::torture
