// A system without a log still knows which blocks are used.
#include "director/audit_sink.hpp"
#include "layout/worker.hpp"
#include "lockfree/audit_ring.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace sessionblocks::director {
namespace {

constexpr WorkerId kWorker{3};
constexpr std::uint64_t kRecords = layout::kMinRingRecords;

class Ring {
 public:
  Ring() {
    std::memset(bytes_.get(), 0, kBytes);
    sink->worker_added(memory(), "scope");
  }
  ~Ring() { sink->worker_removed(kWorker); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  [[nodiscard]] WorkerMemory memory() { return {kWorker, {bytes_.get(), kBytes}, kRecords}; }
  [[nodiscard]] layout::LaneHead& head() {
    return *reinterpret_cast<layout::LaneHead*>(bytes_.get() + layout::lane_at(0, kRecords));
  }
  [[nodiscard]] RingCell* cells() {
    return reinterpret_cast<RingCell*>(reinterpret_cast<std::byte*>(&head()) +
                                       layout::kLaneHeadBytes + layout::kLaneCounterBytes);
  }
  void push(std::uint16_t open, std::span<const std::byte> key = {}) {
    AuditRingWriter writer(head(), cells(), kRecords);
    REQUIRE(writer.has_room(1 + key_cells(key.size())));
    const RingCell record = make_record(open, Op::get, Errc{}, 1, 1, 8, 0);
    key.empty() ? writer.push(record) : writer.push_with_key(record, key);
  }
  // A value whose bytes look like records of another open.
  void push_value(std::uint16_t open, std::uint16_t looks_like) {
    std::array<RingCell, 40> bytes;
    bytes.fill(make_record(looks_like, Op::get, Errc{}, 1, 1, 8, 0));
    layout::ValueDetail detail{};
    detail.logged_bytes = sizeof bytes;
    AuditRingWriter writer(head(), cells(), kRecords);
    REQUIRE(writer.has_room(1 + value_cells(detail.logged_bytes)));
    writer.lay_value(detail, std::as_bytes(std::span(bytes)));
    writer.push_with_value(make_record(open, Op::put, Errc{}, 1, 1, 8, 0), detail.logged_bytes);
  }
  // After all that was pushed.
  [[nodiscard]] bool is_used(unsigned open) {
    sink->drain_fully(kWorker);
    return sink->take_used(kWorker, open);
  }

  std::unique_ptr<AuditSink> sink = make_discarding_audit_sink();

 private:
  struct Free {
    void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
  };
  static constexpr std::size_t kBytes = layout::worker_bytes(kRecords);
  std::unique_ptr<std::byte, Free> bytes_{
      static_cast<std::byte*>(std::aligned_alloc(4'096, kBytes))};
};

}  // namespace

TEST_CASE_METHOD(Ring, "what nobody looked at counts as used, then only what records name") {
  CHECK(is_used(3));
  CHECK_FALSE(is_used(3));
  CHECK_FALSE(is_used(4));
  for (int times = 0; times < 600; ++times) {  // more than a ring holds
    push(3);
    CHECK_FALSE(is_used(4));
    CHECK(is_used(3));
  }
  CHECK_FALSE(is_used(3));
  CHECK(sink->take_used(WorkerId{4}, 3));
}

TEST_CASE_METHOD(Ring, "a key's bytes are no record") {
  CHECK(is_used(0));
  const std::vector<std::byte> key(100);
  push(3, key);
  push(4, key);
  CHECK_FALSE(is_used(0));
  CHECK(is_used(3));
  CHECK(is_used(4));
}

TEST_CASE_METHOD(Ring, "a value's bytes are no record") {
  CHECK(is_used(0));
  for (int times = 0; times < 300; ++times) {  // over the end of the ring, at any of its cells
    push_value(3, 7);
    if (times % 3 == 0) push(4);
    sink->drain_fully(kWorker);
  }
  CHECK(is_used(3));
  CHECK(is_used(4));
  CHECK_FALSE(is_used(7));
}

TEST_CASE_METHOD(Ring, "a write index that cannot be says that all may have been used") {
  CHECK(is_used(3));
  head().ring_written.store(std::uint64_t{1} << 60U);
  CHECK(is_used(3));
  CHECK(is_used(7));
}

}  // namespace sessionblocks::director
