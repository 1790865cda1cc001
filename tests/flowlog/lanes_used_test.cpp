// Which lanes of a worker the drain looks at: those that its threads had, and no page of another.
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using namespace testing;

constexpr std::uint64_t kRecords = 256;
constexpr unsigned kUsed[] = {0, 5, 31};

// A segment of which only the header and the lanes in `kUsed` may be touched, and nothing behind
// its end: everything else has no access, so that a look at it ends the test with a signal.
class GuardedWorker {
 public:
  GuardedWorker() : bytes_(layout::worker_bytes(kRecords)) {
    void* const memory =
        ::mmap(nullptr, bytes_ + 4'096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    memory_ = static_cast<std::byte*>(memory);
    allow(0, 4'096);
    for (const unsigned lane : kUsed) {
      allow(layout::lane_at(lane, kRecords), layout::lane_bytes(kRecords));
      use_lane(segment(), lane);
    }
  }
  ~GuardedWorker() { ::munmap(memory_, bytes_ + 4'096); }
  GuardedWorker(const GuardedWorker&) = delete;
  GuardedWorker& operator=(const GuardedWorker&) = delete;

  void allow(std::uint64_t at, std::uint64_t bytes) const {
    if (::mprotect(memory_ + at, bytes, PROT_READ | PROT_WRITE) != 0) std::abort();
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::span<std::byte> segment() const { return {memory_, bytes_}; }
  [[nodiscard]] layout::WorkerHeader& header() const {
    return *reinterpret_cast<layout::WorkerHeader*>(memory_);
  }
  [[nodiscard]] AuditRingWriter writer(unsigned lane) const {
    std::byte* const head = memory_ + layout::lane_at(lane, kRecords);
    return {*reinterpret_cast<layout::LaneHead*>(head),
            reinterpret_cast<RingCell*>(head + layout::kLaneHeadBytes + layout::kLaneCounterBytes),
            kRecords};
  }

 private:
  std::uint64_t bytes_;
  std::byte* memory_;
};

std::unique_ptr<FlowLog> log_of(const TemporaryFolder& folder, const GuardedWorker& worker) {
  auto log = FlowLog::open({config_in(folder), OnFullDisk::wait});
  REQUIRE(log);
  REQUIRE((*log)->add_worker(WorkerId{3}, worker.segment(), kRecords, "s"));
  REQUIRE((*log)->open_block(WorkerId{3}, 1, kBlock, "cart"));
  return std::move(*log);
}

TEST_CASE("lanes that no thread had are not touched, whatever is done with their worker") {
  TemporaryFolder folder;
  const GuardedWorker worker;
  const auto log = log_of(folder, worker);
  for (const unsigned lane : kUsed) {
    auto ring = worker.writer(lane);
    for (std::uint64_t i = 0; i < 100; ++i) ring.push(cell(Op::put, 4'711 + i, i));  // unknown keys
  }
  REQUIRE(log->drain_fully(WorkerId{3}));
  log->remove_worker(WorkerId{3});
  CHECK(read_records(folder.path()).size() == 100 * std::size(kUsed));
  CHECK(verify(folder.path())->is_whole());
}

TEST_CASE("a worker without a lane has nothing to drain") {
  TemporaryFolder folder;
  const GuardedWorker worker;
  worker.header().lanes_used = 0;
  const auto log = log_of(folder, worker);
  CHECK(log->drain_fully(WorkerId{3}));
  CHECK(log->drain_fully(WorkerId{4}).error() == Errc::not_found);
  log->remove_worker(WorkerId{3});
}

TEST_CASE("a lane that is taken later is drained from then on") {
  ::alarm(60);
  TemporaryFolder folder;
  const GuardedWorker worker;
  const auto log = log_of(folder, worker);
  worker.writer(0).push(cell(Op::put, 0, 1));
  REQUIRE(log->drain_fully(WorkerId{3}));
  worker.allow(layout::lane_at(9, kRecords), layout::lane_bytes(kRecords));
  auto ring = worker.writer(9);
  // A full ring that the drain thread empties by itself, without being asked.
  for (std::uint64_t i = 0; i < kRecords; ++i) ring.push(cell(Op::put, 0, i));
  use_lane(worker.segment(), 9);
  while (!ring.has_room(kRecords)) std::this_thread::yield();
  CHECK(read_records(folder.path()).size() == 1 + kRecords);
  ::alarm(0);
}

TEST_CASE("a forged set of lanes costs the worker's own pages, and none behind them") {
  TemporaryFolder folder;
  const GuardedWorker worker;
  worker.allow(0, worker.bytes());
  worker.header().lanes_used = ~0U;
  const auto log = log_of(folder, worker);
  auto ring = worker.writer(0);
  for (std::uint64_t i = 0; i < 100; ++i) ring.push(cell(Op::put, 0, i));
  REQUIRE(log->drain_fully(WorkerId{3}));
  worker.header().lanes_used = 0;  // what is known to be in use is not forgotten
  for (std::uint64_t i = 0; i < 100; ++i) ring.push(cell(Op::put, 0, i));
  REQUIRE(log->drain_fully(WorkerId{3}));
  log->remove_worker(WorkerId{3});
  CHECK(read_records(folder.path()).size() == 200);
}

}  // namespace
}  // namespace sessionblocks::flowlog
