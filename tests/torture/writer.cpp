#include <algorithm>
#include <unordered_map>

#include "roles.hpp"

namespace sessionblocks::torture {
namespace {

constexpr std::uint64_t kPassing = 200;  // passing keys that are there at a time
constexpr std::uint64_t kLongestCrowdTtlMs = 400;
constexpr std::uint32_t kLongAppended = 8'000;  // bytes of a text from which on it is put anew

class Writer {
 public:
  explicit Writer(Place& place) : place_(place) {}

  void act_once() {
    const KeySet::Range crowd = place_.keys.all(KeyClass::crowd);
    if (crowd.count != 0 && random(2) == 0) return on_crowd(any_of(crowd));
    const std::uint64_t dice = random(100);
    if (dice < 25) {
      on_text(any_of(place_.keys.all(KeyClass::shared_text)));
    } else if (dice < 45) {
      on_counter(any_of(place_.keys.all(KeyClass::shared_counter)));
    } else if (dice < 60) {
      on_text(any_of(place_.keys.own(KeyClass::private_text, place_.number)));
    } else if (dice < 67) {
      on_counter(any_of(place_.keys.own(KeyClass::private_counter, place_.number)));
    } else if (dice < 77) {
      on_brief(any_of(place_.keys.all(KeyClass::expiring)), 60);
    } else {
      pass_by();
    }
  }
  // What stood in the writer's own keys when the one before it died, before anything else.
  void look_at_own_keys() {
    for (const KeyClass of : {KeyClass::private_text, KeyClass::private_counter}) {
      const KeySet::Range own = place_.keys.own(of, place_.number);
      for (std::uint32_t i = 0; i < own.count; ++i) read(own.first + i);
    }
  }

 private:
  std::uint64_t random(std::uint64_t below) { return place_.random() % below; }
  std::uint32_t any_of(KeySet::Range range) {
    if (range.count == 0) return KeySet::kNone;
    return range.first + static_cast<std::uint32_t>(random(range.count));
  }
  std::size_t any_size() {
    const std::uint64_t dice = random(1'000);
    if (dice < 700) return 24 + random(200);
    if (dice < 900) return 200 + random(2'800);
    if (dice < 975) return 3'000 + random(13'000);
    return 16'000 + random(50'000);  // runs of pages
  }
  void read(std::uint32_t key) {
    if (const std::uint64_t version = read_one(place_, key)) known_[key] = version;
  }

  // One change: `call` makes it with the order's entry, and says what came of it.
  template <typename Call>
  Errc change(Op op, std::uint32_t key, std::size_t bytes, std::uint32_t ttl_ms,
              std::uint64_t argument, Call&& call) {
    JournalEntry& entry = place_.recorder.next(op, key);
    entry.argument = argument;
    entry.ttl_ms = ttl_ms;
    if (bytes != 0) {
      write_stamp(text_, entry.written, bytes);
      entry.bytes = static_cast<std::uint32_t>(text_.size());
    }
    place_.recorder.begin_now(entry);
    const Errc outcome = call(entry);
    place_.recorder.end(entry, outcome);
    return outcome;
  }
  Errc took(JournalEntry& entry, const Result<Version>& result) {
    const auto code = result ? Errc{} : result.error().code();
    const bool has_version = code == Errc::conflict || code == Errc::exists;
    if (result) entry.version = raw_version(*result);
    if (has_version) entry.version = result.error().version();
    if (entry.version != 0) known_[entry.key] = entry.version;
    return code;
  }
  static Expiry expiry_of(std::uint32_t ttl_ms) {
    return ttl_ms == 0 ? Expiry::never() : Expiry::after(std::chrono::milliseconds(ttl_ms));
  }

  void put(Op op, std::uint32_t key, std::size_t bytes, std::uint32_t ttl_ms = 0) {
    change(op, key, bytes, ttl_ms, 0, [&](JournalEntry& entry) {
      const std::string& name = place_.keys.name(key);
      if (op == Op::add) return took(entry, place_.block.add(name, text_, expiry_of(ttl_ms)));
      if (op == Op::replace) {
        return took(entry, place_.block.replace(name, text_, expiry_of(ttl_ms)));
      }
      return took(entry, place_.block.put(name, text_, expiry_of(ttl_ms)));
    });
  }
  void compare_and_set(std::uint32_t key) {
    const std::uint64_t expected = known_[key];
    if (expected == 0) return read(key);
    change(Op::compare_and_set, key, any_size(), 0, expected, [&](JournalEntry& entry) {
      return took(entry,
                  place_.block.compare_and_set(place_.keys.name(key), Version{expected}, text_));
    });
  }
  void append(std::uint32_t key) {
    std::uint64_t size = 0;
    change(Op::append, key, 24 + random(300), 0, 0, [&](JournalEntry& entry) {
      const auto appended = place_.block.append(place_.keys.name(key), text_);
      if (!appended) return appended.error().code();
      entry.seen = size = *appended;
      return Errc{};
    });
    if (size > kLongAppended) put(Op::put, key, any_size());
  }
  void increment(std::uint32_t key) {
    const auto by = static_cast<std::int64_t>(1 + random(9));
    change(Op::increment, key, 0, 0, static_cast<std::uint64_t>(by), [&](JournalEntry& entry) {
      const auto sum = place_.block.increment(place_.keys.name(key), by);
      if (!sum) return sum.error().code();
      entry.seen = static_cast<std::uint64_t>(*sum);
      return Errc{};
    });
  }
  void erase(std::uint32_t key) {
    change(Op::erase, key, 0, 0, 0, [&](JournalEntry& entry) {
      return took(entry, place_.block.erase(place_.keys.name(key)));
    });
  }
  void get_and_erase(std::uint32_t key) {
    change(Op::get_and_erase, key, 0, 0, 0, [&](JournalEntry& entry) {
      const std::string& name = place_.keys.name(key);
      if (place_.keys.is_counter(key)) {
        const auto taken = place_.block.get_and_erase<std::int64_t>(name);
        if (!taken) return taken.error().code();
        entry.seen = static_cast<std::uint64_t>(taken->value);
        entry.version = raw_version(taken->version);
        return Errc{};
      }
      const auto taken = place_.block.get_and_erase<std::string>(name);
      if (!taken) return taken.error().code();
      const auto content = content_of(std::as_bytes(std::span(taken->value)));
      entry.seen = content.value_or(0);
      entry.torn = content ? 0 : 1;
      entry.version = raw_version(taken->version);
      return Errc{};
    });
  }
  void touch(std::uint32_t key, std::uint32_t ttl_ms) {
    change(Op::touch, key, 0, ttl_ms, 0, [&](JournalEntry& entry) {
      return took(entry, place_.block.touch(place_.keys.name(key), expiry_of(ttl_ms)));
    });
  }

  void on_text(std::uint32_t key) {
    if (key == KeySet::kNone) return;
    const std::uint64_t dice = random(100);
    if (dice < 30) return put(Op::put, key, any_size());
    if (dice < 45) return append(key);
    if (dice < 60) return compare_and_set(key);
    if (dice < 65) return put(Op::add, key, any_size());
    if (dice < 72) return put(Op::replace, key, any_size());
    if (dice < 77) return erase(key);
    if (dice < 81) return get_and_erase(key);
    if (dice < 84) return touch(key, 0);
    read(key);
  }
  void on_counter(std::uint32_t key) {
    if (key == KeySet::kNone) return;
    const std::uint64_t dice = random(100);
    // Half of the counters are never erased: their value is the sum of all increments.
    const bool only_counts = key % 2 == 0;
    if (only_counts ? dice < 85 : dice < 75) return increment(key);
    if (!only_counts && dice < 79) return erase(key);
    if (!only_counts && dice < 83) return get_and_erase(key);
    read(key);
  }
  void on_brief(std::uint32_t key, std::uint64_t longest_ttl_ms) {
    if (key == KeySet::kNone) return;
    const std::uint64_t dice = random(100);
    const auto ttl_ms = static_cast<std::uint32_t>(1 + random(longest_ttl_ms));
    if (dice < 30) return put(Op::put, key, any_size(), ttl_ms);
    if (dice < 45) return put(Op::add, key, any_size(), ttl_ms);
    if (dice < 55) return put(Op::replace, key, any_size(), ttl_ms);
    if (dice < 70) return touch(key, ttl_ms);
    if (dice < 80) return append(key);
    read(key);
  }
  // What may go when the block is full: whatever there is, or what has expired.
  void on_crowd(std::uint32_t key) {
    const bool all_may_go = place_.board.at_limit == AtLimit::evict_lru;
    if (all_may_go && random(8) != 0) return on_text(key);
    on_brief(key, kLongestCrowdTtlMs);
  }
  // Some hundred new keys, then their end: claimed slots, then tombstones, then a new table. Where
  // it is at outlives the writer, so that the next one ends what this one began.
  void pass_by() {
    const KeySet::Range own = place_.keys.own(KeyClass::passing, place_.number);
    if (own.count == 0) return;
    const std::uint64_t start = place_.recorder.remembered();
    if (passing_ == kPassing) {
      passing_ = 0;
      is_erasing_ = !is_erasing_;
      if (!is_erasing_) place_.recorder.remember(start + kPassing);
    }
    const std::uint64_t at = place_.recorder.remembered() + passing_++;
    const auto key = own.first + static_cast<std::uint32_t>(at % own.count);
    if (is_erasing_) return erase(key);
    put(Op::put, key, random(20) == 0 ? any_size() : 24 + random(100));
  }

  Place& place_;
  std::string text_;
  std::unordered_map<std::uint32_t, std::uint64_t> known_;  // versions as last seen
  std::uint64_t passing_ = 0;
  bool is_erasing_ = true;
};

}  // namespace

void write_things(Place& place) {
  Writer writer(place);
  writer.look_at_own_keys();
  // Some end by themselves, so that the way out is run, and killed, as well.
  const std::uint64_t most = place.random() % 16 == 0 ? place.random() % 2'000 : ~std::uint64_t{0};
  while (place.recorder.may_go_on() && place.recorder.operations() < most) writer.act_once();
}

}  // namespace sessionblocks::torture
