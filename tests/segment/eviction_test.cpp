// A block that is full takes entries out, as its policy says, and what is left is sound.
#include "segment/eviction.hpp"

#include "core/crash_point.hpp"
#include "fixture.hpp"
#include "segment/checkpoints.hpp"
#include "segment/damage.hpp"
#include "segment/fsck.hpp"
#include "segment/maintenance.hpp"
#include "segment/use_marks.hpp"

#include <set>
#include <utility>

using namespace sessionblocks;
using namespace sessionblocks::segment;
using namespace sessionblocks::segment::test;

namespace {

constexpr std::uint64_t kSmallBlock = 1 << 20;

// A thread whose writes make room as the session's do.
struct Evicting {
  Evicting(Worker& w, unsigned lane_number, AtLimit policy)
      : worker(w),
        lane(w.memory.lane(lane_number)),
        ring(lane, w.memory.ring(lane_number), kRingRecords),
        place{&w.system.memory,
              &w.system.readers_segment(),
              &w.system.life(),
              &lane,
              &ring,
              kOpen,
              owner_of(w.worker_id, lane_number),
              policy},
        writer(place),
        evictor(place, writer) {}

  Outcome put(const std::string& key, std::string_view value, std::uint64_t expires_at_ms = 0) {
    Mutation mutation;
    mutation.type = layout::ValueType::text;
    mutation.value = bytes_of(value);
    mutation.expiry = expires_at_ms == 0 ? ExpiryRule::never : ExpiryRule::at;
    mutation.expires_at_ms = expires_at_ms;
    return apply(key, mutation);
  }
  Outcome erase(const std::string& key) {
    Mutation mutation;
    mutation.op = Op::erase;
    return apply(key, mutation);
  }
  Outcome apply(const std::string& key, const Mutation& mutation) {
    Outcome outcome;
    for (int round = 0; round < 64; ++round) {
      lane.ring_drained.store(ring.next());
      writer.apply(key_of(key), mutation, System::active(), true, now_ms, outcome);
      if (outcome.code != Errc::out_of_memory) return outcome;
      lane.ring_drained.store(ring.next());
      const auto room = evictor.make_room({outcome.wanted_bytes, System::active(), true, now_ms});
      evicted += room.evicted;
      if (!room.is_made) return outcome;
    }
    return outcome;
  }

  Worker& worker;
  layout::LaneHead& lane;
  AuditRingWriter ring;
  WriterPlace place;
  Writer writer;
  Evictor evictor;
  std::uint64_t now_ms = 1'000;
  std::uint64_t evicted = 0;
};

struct Full {
  explicit Full(AtLimit policy, std::uint64_t bytes = kSmallBlock)
      : system(bytes), thread(worker, 0, policy), other(worker, 1, policy) {}
  ~Full() {
    thread.writer.leave();
    other.writer.leave();
  }
  Full(const Full&) = delete;
  Full& operator=(const Full&) = delete;

  [[nodiscard]] bool has(const std::string& key) const {
    return get(system.memory, key).has_value();
  }
  void check_sound() const {
    for (const Finding& finding : fsck(system.memory)) {
      FAIL_CHECK(name(finding.invariant) << ": " << finding.text);
    }
    DamageSearch search(system.memory);
    auto step = DamageSearch::Step::more;
    while (step == DamageSearch::Step::more) step = search.look(1'000);
    CHECK(search.what() == "");
  }
  // Until nothing more goes in without taking something out; how many went in.
  int fill(std::string_view value, std::uint64_t expires_at_ms = 0) {
    int count = 0;
    while (thread.evicted == 0 && is_in(thread.put(name_of(count), value, expires_at_ms))) ++count;
    return count;
  }
  static bool is_in(const Outcome& outcome) { return outcome.code == Errc{}; }
  static std::string name_of(int number) { return "key-" + std::to_string(number); }

  System system;
  Worker worker{system, 1};
  Worker director{system, 2};
  Evicting thread;
  Evicting other;
  Maintenance maintenance{{&system.memory, &system.readers_segment(), &director.memory.lane(0),
                           kOpen, owner_of(director.worker_id, 0), Growing::with_spare}};
  std::array<IntentSource, 1> sources{IntentSource{&worker.memory, kOpen}};
};

std::string value_of(std::size_t bytes) {
  return std::string(bytes, 'v');
}

}  // namespace

TEST_CASE("a full block takes any number of new keys, and the last of them are there") {
  const std::size_t bytes = GENERATE(as<std::size_t>(), 8, 200, 3'000, 60'000);
  CAPTURE(bytes);
  Full full(AtLimit::evict_lru, bytes > 10'000 ? 4 << 20 : kSmallBlock);
  const std::string value = value_of(bytes);
  constexpr int kKeys = 60'000;
  for (int i = 0; i < kKeys; ++i) {
    full.thread.now_ms += 10;
    const Outcome outcome = full.thread.put(Full::name_of(i), value);
    if (outcome.code != Errc{}) FAIL("key " << i << ": " << errc_name(outcome.code));
    if (i % 50 == 0) full.maintenance.run(full.sources);
  }
  CHECK(full.thread.evicted > 0);
  for (int i = kKeys - 5; i < kKeys; ++i) CHECK(full.has(Full::name_of(i)));
  CHECK_FALSE(full.has(Full::name_of(0)));
  full.check_sound();
}

TEST_CASE("what was read or written lately stays, what was not goes") {
  Full full(AtLimit::evict_lru);
  const std::string value = value_of(100);
  const int first = full.fill(value);
  REQUIRE(first > 1'000);
  std::set<std::string> read;
  for (int i = 0; i < 20; ++i) read.insert(Full::name_of(i * (first / 40)));
  for (int i = 0; i < first * 3; ++i) {
    full.thread.now_ms += 100;
    for (const std::string& key : read) {
      mark_use(full.system.readers_segment(), key_of(key).hash, full.thread.now_ms);
    }
    REQUIRE(full.thread.put("new-" + std::to_string(i), value).code == Errc{});
    if (i % 50 == 0) full.maintenance.run(full.sources);
  }
  int left = 0;
  for (const std::string& key : read) left += full.has(key) ? 1 : 0;
  CHECK(left == 20);
  int others = 0;
  for (int i = 0; i < first; ++i) others += full.has(Full::name_of(i)) ? 1 : 0;
  CHECK(others < first / 10);
  full.check_sound();
}

TEST_CASE("only what has expired goes, and nothing when nothing has") {
  Full full(AtLimit::evict_expired);
  const std::string value = value_of(100);
  int lasting = 0;
  while (lasting < 200) {
    REQUIRE(full.thread.put("lasting-" + std::to_string(lasting++), value).code == Errc{});
  }
  const int passing = full.fill(value, 5'000);
  CHECK(full.thread.put("one more", value).code == Errc::out_of_memory);
  CHECK(full.thread.evicted == 0);
  full.thread.now_ms = 6'000;
  for (int i = 0; i < passing / 2; ++i) {
    REQUIRE(full.thread.put("new-" + std::to_string(i), value).code == Errc{});
    if (i % 50 == 0) full.maintenance.run(full.sources);
  }
  CHECK(full.thread.evicted > 0);
  for (int i = 0; i < lasting; ++i) CHECK(full.has("lasting-" + std::to_string(i)));
  full.check_sound();
}

TEST_CASE("room for values of another size is made of pages that become free") {
  Full full(AtLimit::evict_lru);
  full.fill(value_of(20));
  for (const std::size_t bytes : {1'000U, 5'000U, 40'000U, 20U, 300U}) {
    CAPTURE(bytes);
    for (int i = 0; i < 20; ++i) {
      full.thread.now_ms += 10;
      const std::string key = std::to_string(bytes) + "-" + std::to_string(i);
      REQUIRE(full.thread.put(key, value_of(bytes)).code == Errc{});
      CHECK(full.has(key));
    }
    full.check_sound();
  }
  // More than the block could hold drives nobody out.
  const std::uint64_t before = full.thread.evicted;
  CHECK(full.thread.put("large", value_of(900'000)).code == Errc::out_of_memory);
  CHECK(full.thread.evicted == before);
}

TEST_CASE("a thread without pages of its own takes over what it evicts") {
  Full full(AtLimit::evict_lru);
  full.fill(value_of(100));
  for (int i = 0; i < 5'000; ++i) {
    full.other.now_ms = 10'000U + static_cast<unsigned>(i) * 10U;
    REQUIRE(full.other.put("other-" + std::to_string(i), value_of(100)).code == Errc{});
    if (i % 50 == 0) full.maintenance.run(full.sources);
  }
  CHECK(full.other.evicted > 0);
  full.check_sound();
}

TEST_CASE("nothing that a checkpoint may need goes") {
  Full full(AtLimit::evict_lru);
  full.fill(value_of(100));
  Checkpoints& checkpoints = full.maintenance.checkpoints();
  const auto taken = checkpoints.take(full.sources);
  REQUIRE(taken);
  const std::uint64_t before = full.thread.evicted;
  int more = 0;  // what there is room for still
  while (full.thread.put("more-" + std::to_string(more), value_of(100)).code == Errc{}) ++more;
  CHECK(full.thread.evicted == before);
  REQUIRE(checkpoints.release(*taken, full.sources));
  CHECK(full.thread.put("one more", value_of(100)).code == Errc{});
}

TEST_CASE("an evicted key that comes back has a version that it never had") {
  Full full(AtLimit::evict_lru);
  const std::string value = value_of(100);
  std::uint64_t version = 0;
  for (int i = 0; i < 10; ++i) version = full.thread.put("the key", value).version;
  for (int i = 0; full.has("the key"); ++i) {
    full.thread.now_ms += 10;
    REQUIRE(full.thread.put(Full::name_of(i), value).code == Errc{});
  }
  CHECK(full.thread.put("the key", value).version > version + 1);
}

TEST_CASE("what was erased gives its memory to who needs it, and is no eviction") {
  Full full(AtLimit::evict_lru);
  const int count = full.fill(value_of(8));
  const std::uint64_t before = full.thread.evicted;
  for (int i = 0; i < count / 2; ++i) static_cast<void>(full.thread.erase(Full::name_of(i)));
  for (int i = 0; i < 100; ++i) {
    REQUIRE(full.thread.put("new-" + std::to_string(i), value_of(8)).code == Errc{});
  }
  CHECK(full.thread.evicted <= before + 16);
  full.check_sound();
}

TEST_CASE("an eviction is in the ring as one record, with the key before it") {
  Full full(AtLimit::evict_lru);
  full.fill(value_of(100));
  std::uint64_t records = 0;
  std::uint64_t keys = 0;
  const std::uint64_t from = full.thread.ring.next();
  const std::uint64_t evicted = full.thread.evicted;
  full.thread.lane.ring_drained.store(from);
  const auto room = full.thread.evictor.make_room({176, System::active(), true, 2'000});
  CHECK(full.thread.evicted == evicted);
  for (std::uint64_t at = from; at < full.thread.ring.next(); ++at) {
    const auto& cell = full.worker.memory.ring(0)[at & (kRingRecords - 1)];
    if (cell.op == static_cast<std::uint8_t>(Op::evict)) ++records;
    if (cell.op == static_cast<std::uint8_t>(Op::define_key)) {
      ++keys;
      ++at;  // a short key: one cell
    }
  }
  CHECK(room.evicted > 0);
  CHECK(records == room.evicted);
  CHECK(keys == records);
}

#if defined(SESSIONBLOCKS_CRASH_POINTS)
namespace {

// What happens while a helper of a growth sleeps between reading a key and its copy.
Full* meanwhile = nullptr;
void finish_and_evict_all(const char* label) {
  if (std::string_view(label) != "growth.key_read" || meanwhile == nullptr) return;
  Full& full = *std::exchange(meanwhile, nullptr);
  if (!full.other.writer.growth().finish()) std::abort();
  const std::uint64_t later = 1'000'000;
  while (full.other.evictor.make_room({16, System::active(), false, later}).evicted != 0) {
  }
}

// And while it sleeps between seeing the old slot frozen and the copy.
void evict_all_frozen(const char* label) {
  if (std::string_view(label) != "growth.before_copy" || meanwhile == nullptr) return;
  Full& full = *std::exchange(meanwhile, nullptr);
  while (full.other.evictor.make_room({16, System::active(), false, 1'000'000}).evicted != 0) {
  }
}

// While the first victim is about to go, others take out everything.
void evict_all(const char* label) {
  if (meanwhile == nullptr || std::string_view(label) != "evict.before_drop") return;
  Full& full = *std::exchange(meanwhile, nullptr);
  while (full.other.evictor.make_room({16, System::active(), false, 1'000'000}).evicted != 0) {
  }
}

}  // namespace

TEST_CASE("what is being moved to another table is not taken out of the old one") {
  Full full(AtLimit::evict_lru);
  for (int i = 0; i < 20; ++i) REQUIRE(full.thread.put(Full::name_of(i), "value").code == Errc{});
  REQUIRE(full.thread.writer.growth().begin_now());
  meanwhile = &full;
  crash_hook() = evict_all_frozen;
  (void)full.thread.writer.growth().finish();
  crash_hook() = nullptr;
  REQUIRE(meanwhile == nullptr);
  int left = 0;
  for (int i = 0; i < 20; ++i) left += full.has(Full::name_of(i)) ? 1 : 0;
  CHECK(left < 20);
  CHECK(left > 0);
  full.check_sound();
}

TEST_CASE("a helper that slept through a growth puts no evicted key back") {
  Full full(AtLimit::evict_lru);
  std::set<std::string> keys;
  for (int i = 0; i < 20; ++i) keys.insert(Full::name_of(i));
  for (const std::string& key : keys) REQUIRE(full.thread.put(key, "value").code == Errc{});
  REQUIRE(full.thread.writer.growth().begin_now());
  meanwhile = &full;
  crash_hook() = finish_and_evict_all;
  (void)full.thread.writer.growth().finish();
  crash_hook() = nullptr;
  REQUIRE(meanwhile == nullptr);
  int left = 0;
  for (const std::string& key : keys) left += full.has(key) ? 1 : 0;
  CHECK(left < 20);
  full.check_sound();
}

TEST_CASE("an evictor whose victims others took is told to try again") {
  Full full(AtLimit::evict_lru);
  (void)full.fill("value");
  (void)full.thread.writer.growth().finish();  // a growth that was under way is a reason of its own
  meanwhile = &full;
  crash_hook() = evict_all;
  full.thread.lane.ring_drained.store(full.thread.ring.next());
  const auto room = full.thread.evictor.make_room({64, System::active(), true, 1'000});
  crash_hook() = nullptr;
  REQUIRE(meanwhile == nullptr);
  CHECK(room.evicted == 0);
  CHECK(room.is_made);
  CHECK(full.thread.put("mine", "value").code == Errc{});
  full.check_sound();
}
#endif
