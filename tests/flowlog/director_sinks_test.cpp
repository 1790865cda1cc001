#include "flowlog/director_sinks.hpp"

#include <catch2/catch.hpp>

#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using namespace testing;

TEST_CASE("what the director calls stands in the log, over a restart of the director") {
  TemporaryFolder folder;
  FakeWorker worker(256);
  const director::WorkerMemory memory{WorkerId{3}, worker.segment(), worker.ring_records()};
  for (std::uint64_t run = 0; run < 2; ++run) {
    FlowLogSink sink({config_in(folder), OnFullDisk::wait}, nullptr);
    REQUIRE(sink.begin({9}));
    sink.worker_added(memory, "shop/checkout#1");
    if (run == 0) sink.block_opened(WorkerId{3}, 1, BlockId{7}, Generation{1}, "cart");
    worker.writer(0).push(cell(Op::put, 0, run));
    sink.drain_fully(WorkerId{3});
    sink.note("created block 7 cart");
    if (run == 1) sink.worker_removed(WorkerId{3});
  }
  const auto records = read_records(folder.path());
  REQUIRE(records.size() == 2);
  CHECK(records[1].block == kBlock);  // known from the log, not said again
  auto report = verify(folder.path());
  REQUIRE(report);
  INFO(report->text());
  CHECK(report->is_whole());
  CHECK(report->missing_cells == 0);
  CHECK(report->notes == 2 + 1 + 2 + 1);
}

TEST_CASE("a log that cannot be opened costs the records, never the director") {
  FlowLogConfig config;
  config.log.folder = "/nowhere/at/all";
  FlowLogSink sink(config, nullptr);
  FakeWorker worker(256);
  sink.worker_added({WorkerId{3}, worker.segment(), worker.ring_records()}, "s");
  sink.block_opened(WorkerId{3}, 1, BlockId{7}, Generation{1}, "cart");
  sink.drain_fully(WorkerId{3});
  sink.note("created");
  sink.worker_removed(WorkerId{3});
  CHECK(sink.log() == nullptr);
  CHECK_FALSE(sink.begin({1}));
}

}  // namespace
}  // namespace sessionblocks::flowlog
