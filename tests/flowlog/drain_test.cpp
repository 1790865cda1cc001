// A ring's writer and the log's threads at work together.
#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <thread>

#include "flowlog/query.hpp"
#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using namespace testing;

std::unique_ptr<FlowLog> open_flow_log(const TemporaryFolder& folder, LogEvents events = {}) {
  auto log = FlowLog::open({config_in(folder), OnFullDisk::wait}, std::move(events));
  REQUIRE(log);
  return std::move(*log);
}

void add(FlowLog& log, WorkerId id, const FakeWorker& worker) {
  REQUIRE(log.add_worker(id, worker.segment(), worker.ring_records(), "shop/checkout#1"));
  REQUIRE(log.open_block(id, 1, kBlock, "cart"));
}

void wait_for_room(AuditRingWriter& ring, std::uint64_t cells) {
  while (!ring.has_room(cells)) std::this_thread::yield();
}

// Publishes records whose version counts from `first`, some with keys of their own.
void write_records(AuditRingWriter ring, std::uint64_t first, std::uint64_t count,
                   std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::uint64_t i = first; i < first + count; ++i) {
    if (random() % 16 == 0) {
      const std::string key = std::to_string(i) + std::string(random() % 1000, 'x');
      wait_for_room(ring, 1 + key_cells(key.size()));
      ring.push_with_key(cell(Op::get, 0, i), bytes_of(key));
    } else {
      wait_for_room(ring, 1);
      ring.push(cell(Op::put, 0, i));
    }
    if (random() % 512 == 0) std::this_thread::yield();
  }
}

// Per lane every version from 0 on, once, in order.
void require_each_once(const std::string& folder, std::uint64_t count, std::size_t lanes) {
  std::map<LaneRef, std::uint64_t> next;
  for (const LogRecord& record : read_records(folder)) {
    auto& expected = next[record.lane];
    if (record.version != expected) FAIL("lane has " << record.version << " not " << expected);
    if (record.key_inline && !record.key.starts_with(std::to_string(record.version))) {
      FAIL("key of " << record.version << " is " << record.key);
    }
    ++expected;
  }
  CHECK(next.size() == lanes);
  for (const auto& [lane, seen] : next) CHECK(seen == count);
}

TEST_CASE("every record is logged exactly once and in order, from several lanes") {
  constexpr std::uint64_t kCount = 60'000;
  TemporaryFolder folder;
  const std::uint64_t ring_records = GENERATE(256U, 4'096U, 65'536U);
  FakeWorker worker(ring_records);
  {
    auto log = open_flow_log(folder);
    add(*log, WorkerId{3}, worker);
    std::vector<std::thread> threads;
    for (unsigned lane = 0; lane < 3; ++lane) {
      threads.emplace_back(
          [&, lane] { write_records(worker.writer(lane), 0, kCount, lane + ring_records); });
    }
    for (std::thread& thread : threads) thread.join();
    REQUIRE(log->drain_fully(WorkerId{3}));
    CHECK(worker.head(0).ring_drained == worker.head(0).ring_written);
    log->remove_worker(WorkerId{3});
  }
  require_each_once(folder.path(), kCount, 3);
  auto report = verify(folder.path());
  REQUIRE(report);
  INFO(report->text());
  CHECK(report->is_whole());
  CHECK(report->missing_cells == 0);
}

TEST_CASE("a log that is opened again goes on where it ended, while the worker lives on") {
  constexpr std::uint64_t kCount = 5'000;
  TemporaryFolder folder;
  FakeWorker worker(16'384);
  for (std::uint64_t run = 0; run < 5; ++run) {
    // Some records come before the log is open, some while it is.
    write_records(worker.writer(0), run * kCount, kCount / 10, run);
    auto log = open_flow_log(folder);
    add(*log, WorkerId{3}, worker);
    write_records(worker.writer(0), run * kCount + kCount / 10, kCount - kCount / 10, run + 50);
    // As if the director had died after the write and before it gave the cells back.
    if (run % 2 == 1) {
      log.reset();
      worker.head(0).ring_drained.store(worker.head(0).ring_written.load() - 100);
    }
  }
  require_each_once(folder.path(), 5 * kCount, 1);
  CHECK(verify(folder.path())->is_whole());
}

TEST_CASE("cells that were given back but are in no log are a stated gap") {
  TemporaryFolder folder;
  FakeWorker worker(256);
  worker.head(0).ring_written = 1'000;
  worker.head(0).ring_drained = 900;
  std::fill_n(worker.cells(0), 256, cell(Op::get, 0, 1));
  {
    auto log = open_flow_log(folder);
    add(*log, WorkerId{3}, worker);
    REQUIRE(log->drain_fully(WorkerId{3}));
  }
  auto report = verify(folder.path());
  REQUIRE(report);
  CHECK(report->is_whole());
  CHECK(report->records == 100);
  CHECK(report->missing_cells == 900);
}

TEST_CASE("a worker whose open blocks are named late, after its ring is half full, is no forger") {
  TemporaryFolder folder;
  FakeWorker worker(256);
  FakeWorker other(256);
  auto ring = worker.writer(0);
  for (std::uint64_t i = 0; i < 200; ++i) ring.push(cell(Op::get, 0, i));
  std::atomic<bool> is_forged = false;
  {
    auto log = open_flow_log(folder, [&](const LogEvent&) { is_forged = true; });
    REQUIRE(log->add_worker(WorkerId{3}, worker.segment(), 256, "s"));
    REQUIRE(log->add_worker(WorkerId{4}, other.segment(), 256, "s"));
    REQUIRE(log->drain_fully(WorkerId{4}));  // the drain has looked at both
    log->remove_worker(WorkerId{4});
    REQUIRE(log->open_block(WorkerId{3}, 1, kBlock, "cart"));
  }
  CHECK_FALSE(is_forged);
  CHECK(read_records(folder.path()).size() == 200);
}

TEST_CASE("a key that another worker defined has its bytes in the log before it is named") {
  TemporaryFolder folder;
  FakeWorker definer(16'384);
  FakeWorker user(16'384);
  {
    auto log = open_flow_log(folder);
    add(*log, WorkerId{1}, user);  // lanes are looked at in the order of workers: users first
    add(*log, WorkerId{2}, definer);
    std::thread thread([&] {
      auto defines = definer.writer(0);
      auto uses = user.writer(0);
      for (std::uint64_t id = 1; id <= 20'000; ++id) {
        const std::string key = "key " + std::to_string(id);
        wait_for_room(defines, 2);
        defines.push_with_key(cell(Op::define_key, id, 0), bytes_of(key));
        wait_for_room(uses, 1);
        uses.push(cell(Op::get, id, 1));
      }
    });
    thread.join();
    REQUIRE(log->drain_fully(WorkerId{1}));
    REQUIRE(log->drain_fully(WorkerId{2}));
    CHECK(log->totals().unknown_keys == 0);
  }
  std::uint64_t found = 0;
  for (const LogRecord& record : read_records(folder.path())) {
    if (record.op != Op::get) continue;
    REQUIRE(record.has_key);
    REQUIRE(record.key == "key " + std::to_string(record.key_id));
    ++found;
  }
  CHECK(found == 20'000);
}

TEST_CASE("an open index that is given again means the new block from then on") {
  TemporaryFolder folder;
  FakeWorker worker(4'096);
  const BlockRef other = BlockRef::make(BlockId{8}, Generation{2});
  {
    auto log = open_flow_log(folder);
    add(*log, WorkerId{3}, worker);
    write_records(worker.writer(0), 0, 500, 1);
    REQUIRE(log->open_block(WorkerId{3}, 1, other, "orders"));
    write_records(worker.writer(0), 500, 500, 2);
  }
  for (const LogRecord& record : read_records(folder.path())) {
    REQUIRE(record.block == (record.version < 500 ? kBlock : other));
  }
}

TEST_CASE("what has no record is counted when the worker goes") {
  TemporaryFolder folder;
  FakeWorker worker(256);
  worker.head(2).thread_id = 77;
  worker.head(2).ring_lost = 5;
  auto* counters = reinterpret_cast<layout::OpenCounters*>(
      reinterpret_cast<std::byte*>(&worker.head(2)) + layout::kLaneHeadBytes);
  counters[1].reads = 30;
  counters[1].writes = 4;
  {
    auto log = open_flow_log(folder);
    add(*log, WorkerId{3}, worker);
    log->note("block cart created");
    log->remove_worker(WorkerId{3});
  }
  std::set<std::string> lines;
  auto reader = LogReader::open(folder.path());
  REQUIRE(reader);
  Entry entry;
  while (reader->next(entry).value_or(false)) {
    if (entry.kind != EntryKind::note) continue;
    const std::string line = json_line(entry, reader->state());
    lines.insert(line.substr(line.find(',') + 1));
  }
  CHECK(lines.contains(R"("note":"event","text":"block cart created"})"));
  CHECK(lines.contains(
      R"("worker":3,"scope":"shop/checkout#1","note":"counted","lost":5,"writes":0})"));
  CHECK(lines.contains(R"("worker":3,"scope":"shop/checkout#1","note":"counted","block":"cart",)"
                       R"("block_id":7,"generation":1,"reads":30,"writes":4})"));
}

// By block 0 (lost), 7 and 8.
struct Counts {
  std::map<unsigned, std::pair<std::uint64_t, std::uint64_t>> of;
  explicit Counts(const std::string& folder) {
    for (const Entry& entry : read_all(folder)) {
      if (entry.kind != EntryKind::note || entry.note.kind != NoteKind::counted) continue;
      auto& [reads, writes] = of[raw(entry.note.block.block())];
      reads += entry.note.number;
      writes += entry.note.second;
    }
  }
};
using Pair = std::pair<std::uint64_t, std::uint64_t>;

layout::OpenCounters* counters_of(const FakeWorker& worker) {
  return reinterpret_cast<layout::OpenCounters*>(reinterpret_cast<std::byte*>(&worker.head(2)) +
                                                 layout::kLaneHeadBytes);
}

TEST_CASE("what is counted under an index that is given again belongs to the block of its time") {
  TemporaryFolder folder;
  FakeWorker worker(256);
  worker.head(2).thread_id = 77;
  auto* const counters = counters_of(worker);
  const BlockRef other = BlockRef::make(BlockId{8}, Generation{1});
  {
    auto log = open_flow_log(folder);
    add(*log, WorkerId{3}, worker);
    counters[1].reads = 30;
    counters[1].writes = 4;
    REQUIRE(log->open_block(WorkerId{3}, 1, other, "orders"));
    counters[1].reads = 31;
    counters[1].writes = 14;
    log->remove_worker(WorkerId{3});
  }
  const Counts counts(folder.path());
  CHECK(counts.of.at(7) == Pair(30, 4));
  CHECK(counts.of.at(8) == Pair(1, 10));
}

TEST_CASE("what has no record is counted once, over directors and when an end is repeated") {
  for (const std::uint64_t rotate_bytes : {std::uint64_t{64} << 20U, std::uint64_t{1}}) {
    TemporaryFolder folder;
    FakeWorker worker(256);
    worker.head(2).thread_id = 77;
    auto* const counters = counters_of(worker);
    for (std::uint64_t run = 1; run <= 4; ++run) {
      if (run <= 2) {
        counters[1].reads = 30 * run;
        worker.head(2).ring_lost = 5 * run;
      }
      FlowLogConfig config{config_in(folder), OnFullDisk::wait};
      config.log.rotate_bytes = rotate_bytes;
      auto log = FlowLog::open(std::move(config));
      REQUIRE(log);
      add(**log, WorkerId{3}, worker);
      // The first director dies while the worker lives, the second and third in its end.
      if (run > 1) (*log)->remove_worker(WorkerId{3});
    }
    const Counts counts(folder.path());
    CHECK(counts.of.at(7) == Pair(60, 0));
    CHECK(counts.of.at(0) == Pair(10, 0));
  }
}

}  // namespace
}  // namespace sessionblocks::flowlog
