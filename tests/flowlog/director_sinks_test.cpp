#include "flowlog/director_sinks.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "director/logs.hpp"
#include "small_disk.hpp"
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

TEST_CASE("what was drained says which opens are used") {
  TemporaryFolder folder;
  FakeWorker worker(256);
  FlowLogSink sink({config_in(folder), OnFullDisk::wait}, nullptr);
  REQUIRE(sink.begin({9}));
  sink.worker_added({WorkerId{3}, worker.segment(), worker.ring_records()}, "s");
  sink.block_opened(WorkerId{3}, 1, BlockId{7}, Generation{1}, "cart");
  sink.block_opened(WorkerId{3}, 2, BlockId{8}, Generation{1}, "other");
  CHECK_FALSE(sink.take_used(WorkerId{3}, 1));
  worker.writer(0).push(cell(Op::get, 0, 1));
  sink.drain_fully(WorkerId{3});
  CHECK_FALSE(sink.take_used(WorkerId{3}, 2));
  CHECK(sink.take_used(WorkerId{3}, 1));
  CHECK_FALSE(sink.take_used(WorkerId{3}, 1));
  CHECK(sink.take_used(WorkerId{4}, 1));  // nobody looks there
  sink.worker_removed(WorkerId{3});
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

class Collected final : public director::EventSink {
 public:
  void on_event(const director::Event& event) override {
    const std::lock_guard lock(mutex_);
    text_.append(director::word(event.kind)).append(" ").append(event.subject).append("\n");
  }
  [[nodiscard]] std::string text() {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

std::string director_log_in(const TemporaryFolder& folder) {
  std::ostringstream text;
  text << std::ifstream(folder.path() + "/director.log").rdbuf();
  return text.str();
}

// As the director uses it: events and audit from one pair, one worker with an open block.
struct Logged {
  explicit Logged(const TemporaryFolder& folder,
                  std::shared_ptr<director::EventSink> next = nullptr,
                  std::uint64_t ring_records = 4'096)
      : worker(ring_records), logs(director::make_logs({folder.path(), "test", std::move(next)})) {
    auto made = logs.make_audit({});
    if (!made) std::abort();
    audit = std::move(*made);
    audit->worker_added({WorkerId{3}, worker.segment(), worker.ring_records()}, "shop/checkout#1");
    audit->block_opened(WorkerId{3}, 1, BlockId{7}, Generation{1}, "cart");
  }
  FakeWorker worker;
  director::Logs logs;
  std::shared_ptr<director::AuditSink> audit;
};

bool says(const std::string& log, std::string_view text) {
  INFO(log << "lacks: " << text);
  const bool has = log.find(text) != std::string::npos;
  CHECK(has);
  return has;
}

TEST_CASE("director.log has what the director says, and what the log finds in a ring") {
  TemporaryFolder folder;
  auto next = std::make_shared<Collected>();
  {
    Logged logged(folder, next);
    logged.logs.events->on_event({director::EventKind::created, "block cart (7)", "shared"});
    logged.worker.writer(0).push(cell(static_cast<Op>(99), 0, 1));
    logged.audit->drain_fully(WorkerId{3});
    logged.audit->drain_fully(WorkerId{1});  // the director's own worker, which is not logged
  }
  const std::string log = director_log_in(folder);
  says(log, "Z info created block cart (7): shared\n");
  says(log,
       "Z warning failed audit ring of worker 3 lane 0: forged, nothing more is taken from it: a "
       "record of no known operation\n");
  CHECK(std::count(log.begin(), log.end(), '\n') == 2);
  CHECK(next->text() == "created block cart (7)\nfailed audit ring of worker 3 lane 0\n");
}

TEST_CASE("director.log says that the disk refuses, what then happens, and that it takes again") {
  TemporaryFolder folder;
  const int status = in_small_disk(2'000, [&] {
    Logged logged(folder);
    auto ring = logged.worker.writer(0);
    for (std::uint64_t i = 0; i < 3'000; ++i) ring.push(cell(Op::put, i * 977, i * 1'000));
    logged.audit->drain_fully(WorkerId{3});
    raise_limit();
    auto& log = *static_cast<FlowLogSink&>(*logged.audit).log();
    while (log.is_refused()) std::this_thread::yield();
    logged.audit->drain_fully(WorkerId{3});
    return 0;
  });
  REQUIRE(status == 0);
  const std::string log = director_log_in(folder);
  says(log, "Z warning failed audit log: refused by the disk: " + folder.path() +
                ": write: File too large; records wait in the workers' rings, and once these are "
                "full each block's on_full_ring decides; make room on that disk\n");
  says(log, "Z info recovered audit log: " + folder.path() +
                " takes records again; it had refused: write: File too large; nothing was lost\n");
}

TEST_CASE("director.log says what a disk that refuses to the end has cost") {
  // More than the batches between the log's threads hold: some never leave the ring.
  constexpr std::uint64_t kCount = LogWriter::kBatches * LogWriter::kBatchCells + 100'000;
  TemporaryFolder folder;
  const int status = in_small_disk(2'000, [&] {
    Logged logged(folder, nullptr, 1U << 20U);
    auto ring = logged.worker.writer(0);
    for (std::uint64_t i = 0; i < kCount; ++i) ring.push(cell(Op::put, i * 977, i * 1'000));
    logged.audit->drain_fully(WorkerId{3});
    logged.audit->worker_removed(WorkerId{3});
    logged.audit.reset();
    return 0;
  });
  REQUIRE(status == 0);
  const std::string log = director_log_in(folder);
  REQUIRE(says(log, "failed audit log: cut short by the disk: " + folder.path()));
  const std::string before = "the log lacks what came since, ";
  REQUIRE(says(log, before));
  const std::size_t lost = std::stoul(log.substr(log.find(before) + before.size()));
  CHECK(lost > 0);
  CHECK(lost + read_records(folder.path()).size() == kCount);
}

TEST_CASE("director.log says what adoption cut, and what it found altered") {
  TemporaryFolder folder;
  const std::string file = folder.path() + "/" + log_file_name(1);
  { Logged logged(folder); }
  const auto whole = std::filesystem::file_size(file);
  std::ofstream(file, std::ios::app | std::ios::binary) << "SLF1 and no more";
  { Logged logged(folder); }
  says(director_log_in(folder),
       "Z info recovered audit log: torn tail cut: 16 bytes of an "
       "unfinished write, behind byte " +
           std::to_string(whole) + " of " + file + "\n");
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(100).put('\xAA');
  { Logged logged(folder); }
  says(director_log_in(folder),
       "Z warning failed audit log: flow-0000000001.sblog was altered "
       "behind byte 0; it stays as it is, and the log goes on in a new "
       "file\n");
}

TEST_CASE("a folder that is not this user's alone is no place for logs") {
  TemporaryFolder folder;
  const auto refusal = [](const std::string& path) {
    const auto made = director::make_logs({path, "test", nullptr}).make_audit({});
    return made ? std::string("accepted") : made.error().message();
  };
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  says(refusal(folder.path()), "folder " + folder.path() + " may be written by others");
  std::ofstream(folder.path() + "/file") << "x";
  says(refusal(folder.path() + "/file"), "it is a file");
  says(refusal("/nowhere/at/all"), "No such file or directory");
  const std::string other = ::geteuid() == 0 ? folder.path() + "/theirs" : "/";
  if (::geteuid() == 0) {
    std::filesystem::create_directory(other);
    REQUIRE(::chown(other.c_str(), 65'534, 65'534) == 0);
  }
  says(refusal(other), "not to this one");
  CHECK_FALSE(std::filesystem::exists(other + "/director.log"));
}

}  // namespace
}  // namespace sessionblocks::flowlog
