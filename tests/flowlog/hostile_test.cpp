// Rings whose bytes were made up: the log's threads go on, and say whose they are.
#include <catch2/catch.hpp>
#include <mutex>
#include <random>

#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using namespace testing;

class Heard {
 public:
  [[nodiscard]] LogEvents sink() {
    return [this](const LogEvent& event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
    };
  }
  [[nodiscard]] std::vector<LogEvent> events() {
    const std::lock_guard lock(mutex_);
    return events_;
  }

 private:
  std::mutex mutex_;
  std::vector<LogEvent> events_;
};

struct Drained {
  std::vector<LogEvent> events;
  VerifyReport report;
};

// Logs one worker with `prepare`d rings beside an honest one, and checks the honest one's records.
template <typename Prepare>
Drained drain_beside_honest(Prepare prepare) {
  TemporaryFolder folder;
  Heard heard;
  FakeWorker hostile(256);
  FakeWorker honest(256);
  {
    auto log = FlowLog::open({config_in(folder), OnFullDisk::wait}, heard.sink());
    REQUIRE(log);
    for (const auto& [id, worker] : {std::pair{1U, &hostile}, std::pair{2U, &honest}}) {
      REQUIRE((*log)->add_worker(WorkerId{id}, worker->segment(), 256, "s"));
      REQUIRE((*log)->open_block(WorkerId{id}, 1, kBlock, "cart"));
    }
    prepare(hostile);
    auto ring = honest.writer(0);
    for (std::uint64_t i = 0; i < 200; ++i) ring.push(cell(Op::get, 0, i));
    REQUIRE((*log)->drain_fully(WorkerId{1}));
    REQUIRE((*log)->drain_fully(WorkerId{2}));
    (*log)->remove_worker(WorkerId{1});
  }
  std::uint64_t honest_records = 0;
  for (const LogRecord& record : read_records(folder.path())) {
    honest_records += record.lane.worker == 2 ? 1 : 0;
  }
  CHECK(honest_records == 200);
  auto report = verify(folder.path());
  REQUIRE(report);
  INFO(report->text());
  CHECK(report->is_whole());
  return {heard.events(), *report};
}

TEST_CASE("a forged write index marks the lane and stops its draining") {
  const std::uint64_t top = ~std::uint64_t{0};
  for (const std::uint64_t index :
       {std::uint64_t{257}, std::uint64_t{512}, std::uint64_t{1} << 31U, std::uint64_t{1} << 32U,
        std::uint64_t{1} << 63U, (std::uint64_t{1} << 63U) - 1, top, top - 1, top - 255, top - 256,
        top - 257}) {
    CAPTURE(index);
    const Drained drained = drain_beside_honest([&](FakeWorker& hostile) {
      // All cells are fine, so nothing but the index can give it away.
      std::fill_n(hostile.cells(0), 256, cell(Op::get, 0, 1));
      hostile.head(0).ring_written = index;
    });
    REQUIRE(drained.events.size() == 1);
    CHECK(drained.events[0].kind == LogEvent::Kind::lane_forged);
    CHECK(drained.events[0].lane == LaneRef{1, 0});
    CHECK(drained.report.records == 200);
  }
}

TEST_CASE("a write index that goes back marks the lane") {
  TemporaryFolder folder;
  Heard heard;
  FakeWorker worker(256);
  auto log = FlowLog::open({config_in(folder), OnFullDisk::wait}, heard.sink());
  REQUIRE(log);
  REQUIRE((*log)->add_worker(WorkerId{1}, worker.segment(), 256, "s"));
  REQUIRE((*log)->open_block(WorkerId{1}, 1, kBlock, "cart"));
  std::fill_n(worker.cells(0), 256, cell(Op::get, 0, 1));
  auto ring = worker.writer(0);
  for (std::uint64_t i = 0; i < 100; ++i) ring.push(cell(Op::get, 0, i));
  REQUIRE((*log)->drain_fully(WorkerId{1}));
  worker.head(0).ring_written = 99;
  log->reset();  // the last pass looks at every lane
  REQUIRE(heard.events().size() == 1);
  CHECK(read_records(folder.path()).size() == 100);
}

TEST_CASE("each kind of record that cannot be true marks the lane behind the true ones") {
  const auto damage = GENERATE(0, 1, 2, 3, 4, 5, 6, 7, 8);
  const Drained drained = drain_beside_honest([&](FakeWorker& hostile) {
    auto ring = hostile.writer(0);
    for (std::uint64_t i = 0; i < 3; ++i) ring.push(cell(Op::get, 0, i));
    RingCell bad = cell(Op::get, 0, 3);
    if (damage == 0) bad.op = 0;
    if (damage == 1) bad.op = 17;
    if (damage == 2) bad.count = 0;
    if (damage == 3) bad.flags = 2;
    if (damage == 4) bad.open = 2;
    if (damage == 5) bad.open = 0xFFFF;
    if (damage == 6) bad = cell(Op::define_key, 1, 0);
    if (damage == 7) bad.flags = 1, bad.value_bytes = 1'025;
    if (damage == 8) bad.flags = 1, bad.value_bytes = 33;  // its cells were not published
    ring.push(bad);
  });
  CHECK(drained.events.size() == 1);
  CHECK(drained.report.records == 203);
}

TEST_CASE("random bytes in rings never do harm") {
  std::mt19937_64 random(4);
  for (int round = 0; round < 60; ++round) {
    const Drained drained = drain_beside_honest([&](FakeWorker& hostile) {
      for (unsigned lane = 0; lane < 4; ++lane) {
        auto* const words = reinterpret_cast<std::uint64_t*>(hostile.cells(lane));
        for (unsigned i = 0; i < 256 * 4; ++i) words[i] = random();
        for (unsigned i = 0; i < 256; ++i) {  // many look right at first
          if (random() % 8 == 0) continue;
          RingCell& record = hostile.cells(lane)[i];
          record.op = static_cast<std::uint8_t>(1 + record.op % 15);
          record.open = 1;
          record.count |= 1U;
          record.flags = random() % 4 == 0 && record.op == 1 ? 1 : 0;
          record.value_bytes %= 2'000;
        }
        hostile.head(lane).ring_written = random() % 257;
      }
    });
    CHECK(drained.events.size() <= 4);
  }
}

TEST_CASE("a segment too small for its rings is refused") {
  TemporaryFolder folder;
  FakeWorker worker(256);
  auto log = FlowLog::open({config_in(folder), OnFullDisk::wait});
  REQUIRE(log);
  const auto refuse = [&](std::span<std::byte> segment, std::uint64_t records) {
    const auto added = (*log)->add_worker(WorkerId{1}, segment, records, "s");
    return !added && added.error() == Errc::invalid_argument;
  };
  CHECK(refuse(worker.segment().first(worker.segment().size() - 1), 256));
  CHECK(refuse(worker.segment(), 512));
  CHECK(refuse(worker.segment(), 255));
  CHECK(refuse(worker.segment(), 0));
  CHECK(refuse(worker.segment(), std::uint64_t{1} << 63U));
}

}  // namespace
}  // namespace sessionblocks::flowlog
