// The log's process is killed, or its disk refuses: what the next one finds.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <random>
#include <thread>

#include "small_disk.hpp"
#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using namespace testing;

// A worker segment that parent and child share, as a worker's outlives its director.
class SharedWorker {
 public:
  explicit SharedWorker(std::uint64_t ring_records)
      : ring_records_(ring_records), bytes_(layout::worker_bytes(ring_records)) {
    void* const memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    memory_ = static_cast<std::byte*>(memory);
    use_lane(segment(), 0);
  }
  ~SharedWorker() { ::munmap(memory_, bytes_); }
  SharedWorker(const SharedWorker&) = delete;
  SharedWorker& operator=(const SharedWorker&) = delete;
  [[nodiscard]] std::span<std::byte> segment() const { return {memory_, bytes_}; }
  [[nodiscard]] layout::LaneHead& head() const {
    return *reinterpret_cast<layout::LaneHead*>(memory_ + layout::lane_at(0, ring_records_));
  }
  [[nodiscard]] AuditRingWriter writer() const {
    return {head(),
            reinterpret_cast<RingCell*>(memory_ + layout::lane_at(0, ring_records_) +
                                        layout::kLaneHeadBytes + layout::kLaneCounterBytes),
            ring_records_};
  }
  [[nodiscard]] std::uint64_t ring_records() const { return ring_records_; }

 private:
  std::uint64_t ring_records_;
  std::size_t bytes_;
  std::byte* memory_;
};

// The director's part, in a child: logs until it is killed.
[[noreturn]] void log_until_killed(const LogConfig& config, const SharedWorker& worker) {
  ::alarm(60);
  auto log = FlowLog::open({config, OnFullDisk::wait});
  if (!log) ::_exit(1);
  auto added = (*log)->add_worker(WorkerId{3}, worker.segment(), worker.ring_records(), "s");
  auto opened = (*log)->open_block(WorkerId{3}, 1, kBlock, "cart");
  if (!added || !opened) ::_exit(2);
  while (true) ::pause();
}

TEST_CASE("a log whose process is killed again and again has every record once") {
  ::alarm(200);
  TemporaryFolder folder;
  LogConfig config = config_in(folder);
  config.rotate_bytes = 20'000;
  SharedWorker worker(1'024);
  auto ring = worker.writer();
  std::mt19937_64 random(5);
  std::uint64_t next = 0;
  for (int run = 0; run < 40; ++run) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) log_until_killed(config, worker);
    // Killed after a random number of records, wherever it then is.
    const std::uint64_t end = next + 200 + random() % 6'000;
    while (next < end) {
      const bool has_key = random() % 8 == 0;
      const std::string key = std::string("k").append(std::to_string(next));
      while (!ring.has_room(3)) std::this_thread::yield();
      if (has_key) {
        ring.push_with_key(cell(Op::get, 0, next++), bytes_of(key));
      } else {
        ring.push(cell(Op::put, 0, next++, static_cast<std::uint32_t>(random())));
      }
    }
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
  }
  {
    auto log = FlowLog::open({config, OnFullDisk::wait});
    REQUIRE(log);
    REQUIRE((*log)->add_worker(WorkerId{3}, worker.segment(), worker.ring_records(), "s"));
    REQUIRE((*log)->drain_fully(WorkerId{3}));
  }
  std::uint64_t expected = 0;
  for (const LogRecord& record : read_records(folder.path())) {
    if (record.version != expected) FAIL("record " << record.version << ", not " << expected);
    ++expected;
  }
  CHECK(expected == next);
  auto report = verify(folder.path());
  REQUIRE(report);
  INFO(report->text());
  CHECK(report->is_whole());
  CHECK(report->missing_cells == 0);
  ::alarm(0);
}

TEST_CASE("a disk that refuses: wait keeps all, and nobody is kept waiting") {
  TemporaryFolder folder;
  const int status = in_small_disk(2'000, [&] {
    FakeWorker worker(4'096);
    auto log = FlowLog::open({config_in(folder), OnFullDisk::wait});
    if (!log) return 1;
    auto added = (*log)->add_worker(WorkerId{3}, worker.segment(), 4'096, "s");
    auto opened = (*log)->open_block(WorkerId{3}, 1, kBlock, "cart");
    if (!added || !opened) return 2;
    auto ring = worker.writer(0);
    for (std::uint64_t i = 0; i < 3'000; ++i) ring.push(cell(Op::put, i * 977, i * 1'000));
    const auto drained = (*log)->drain_fully(WorkerId{3});
    if (drained || !(drained.error() == Errc::io_error)) return 3;
    if (!(*log)->is_refused()) return 4;
    (*log)->note("still at work");
    raise_limit();
    while ((*log)->is_refused()) std::this_thread::yield();
    if (!(*log)->drain_fully(WorkerId{3})) return 5;
    return 0;
  });
  REQUIRE(status == 0);
  CHECK(read_records(folder.path()).size() == 3'000);
  auto report = verify(folder.path());
  REQUIRE(report);
  INFO(report->text());
  CHECK(report->is_whole());
  CHECK(report->missing_cells == 0);
}

TEST_CASE("a disk that refuses: count lets go, and the log holds the number") {
  TemporaryFolder folder;
  const int status = in_small_disk(2'000, [&] {
    FakeWorker worker(4'096);
    auto log = FlowLog::open({config_in(folder), OnFullDisk::count});
    if (!log) return 1;
    auto added = (*log)->add_worker(WorkerId{3}, worker.segment(), 4'096, "s");
    auto opened = (*log)->open_block(WorkerId{3}, 1, kBlock, "cart");
    if (!added || !opened) return 2;
    auto ring = worker.writer(0);
    for (std::uint64_t i = 0; i < 3'000; ++i) ring.push(cell(Op::put, i * 977, i * 1'000));
    if (!(*log)->drain_fully(WorkerId{3})) return 3;
    if ((*log)->totals().lost_cells == 0) return 4;
    raise_limit();
    while ((*log)->is_refused()) std::this_thread::yield();
    for (std::uint64_t i = 3'000; i < 3'100; ++i) ring.push(cell(Op::put, i, i));
    if (!(*log)->drain_fully(WorkerId{3})) return 5;
    return 0;
  });
  REQUIRE(status == 0);
  auto report = verify(folder.path());
  REQUIRE(report);
  INFO(report->text());
  CHECK(report->is_whole());
  CHECK(report->missing_cells > 0);
  CHECK(report->records + report->missing_cells == 3'100);
}

}  // namespace
}  // namespace sessionblocks::flowlog
