// What begins the next file, and what becomes of the oldest.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

#include "flowlog/file_scanner.hpp"
#include "platform/clock.hpp"
#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using namespace testing;
using Catch::Contains;

std::uint64_t bytes_in(const TemporaryFolder& folder) {
  std::uint64_t total = 0;
  const auto numbers = log_files(folder.path()).value();
  for (const std::uint64_t number : numbers) {
    total += std::filesystem::file_size(folder.path() + "/" + log_file_name(number));
  }
  return total;
}

TEST_CASE("a file takes something before the next one begins, however small it shall be") {
  TemporaryFolder folder;
  TemporaryFolder state;
  LogConfig config = config_in(folder);
  if (GENERATE(false, true)) config.key_file = state.path() + "/log.key";
  config.rotate_bytes = 1;
  LogFile log = open_log(config);
  for (int times = 0; times < 20; ++times) {
    log.rotate_if_due(0);
    log.checkpoint();
    REQUIRE(log.commit());
  }
  CHECK(log.file_number() == 1);
  for (int times = 0; times < 3; ++times) {
    add_gets(log, 0, 1);
    REQUIRE(log.commit());
    for (int more = 0; more < 5; ++more) {
      log.rotate_if_due(0);
      REQUIRE(log.commit());
    }
  }
  CHECK(log.file_number() == 4);
  CHECK(verify(folder.path())->is_whole());
}

TEST_CASE(
    "a budget of nothing but the open file, and files that are full when they begin, come to "
    "rest") {
  TemporaryFolder folder;
  LogConfig config = config_in(folder);
  config.rotate_bytes = 1;
  config.budget_bytes = 1;
  LogFile log = open_log(config);
  for (std::uint64_t times = 1; times <= 5; ++times) {
    add_gets(log, 0, 2);
    REQUIRE(log.commit());
    // Each also notes that the one before it was removed, which must not bring the next one.
    for (int more = 0; more < 5; ++more) {
      log.rotate_if_due(0);
      REQUIRE(log.commit());
    }
    CHECK(log.file_number() == times + 1);
    CHECK(log_files(folder.path())->size() == 1);
  }
  CHECK(log.removed_files() == 5);
  CHECK(verify(folder.path())->is_whole());
}

TEST_CASE("a log whose files are too small for their beginning is drained all the same") {
  TemporaryFolder folder;
  LogConfig config = config_in(folder);
  config.rotate_bytes = 1;
  FakeWorker worker(256);
  {
    auto log = FlowLog::open({config, OnFullDisk::wait});
    REQUIRE(log);
    REQUIRE((*log)->add_worker(WorkerId{3}, worker.segment(), 256, "s"));
    REQUIRE((*log)->open_block(WorkerId{3}, 1, kBlock, "cart"));
    auto ring = worker.writer(0);
    for (std::uint64_t i = 0; i < 200; ++i) ring.push(cell(Op::put, i, i));
    REQUIRE((*log)->drain_fully(WorkerId{3}));
  }
  const auto report = verify(folder.path());
  REQUIRE(report);
  INFO(report->text());
  CHECK(report->is_whole());
  CHECK(report->records == 200);
  CHECK(report->files < 500);  // each took something
}

TEST_CASE("a file is followed by the next one at its age, with something in it") {
  TemporaryFolder folder;
  LogConfig config = config_in(folder);
  config.rotate_ms = 10'000;
  LogFile log = open_log(config);
  const std::uint64_t now = platform::monotonic_coarse_ms();
  log.rotate_if_due(now + 20'000);
  CHECK(log.file_number() == 1);
  CHECK_FALSE(log.due_in_ms(now));
  add_gets(log, 0, 1);
  REQUIRE(log.commit());
  CHECK(log.due_in_ms(now).value() <= 10'000);
  CHECK(log.due_in_ms(now + 20'000) == 0U);
  log.rotate_if_due(now + 5'000);
  CHECK(log.file_number() == 1);
  log.rotate_if_due(now + 20'000);
  CHECK(log.file_number() == 2);
}

TEST_CASE("a file's age counts from its beginning, over restarts") {
  TemporaryFolder folder;
  LogConfig config = config_in(folder);
  {
    LogFile log = open_log(config);
    add_gets(log, 0, 1);
    REQUIRE(log.commit());
  }
  const std::uint64_t begun = platform::monotonic_coarse_ms();
  while (platform::monotonic_coarse_ms() < begun + 50) std::this_thread::yield();
  config.rotate_ms = 40;
  LogFile log = open_log(config);
  log.rotate_if_due(begun + 50);
  CHECK(log.file_number() == 2);
}

TEST_CASE("an idle log begins its next file by itself") {
  TemporaryFolder folder;
  LogConfig config = config_in(folder);
  config.rotate_ms = 20;
  auto log = FlowLog::open({config, OnFullDisk::wait});
  REQUIRE(log);
  (*log)->note("the only one");
  while (log_files(folder.path())->back() != 2) std::this_thread::yield();
}

TEST_CASE("what the log keeps never passes its budget, and it says what went") {
  TemporaryFolder folder;
  LogConfig config = config_in(folder);
  config.rotate_bytes = 3'000;
  config.budget_bytes = 13'500;
  LogFile log = open_log(config);
  name_worker(log);
  std::uint64_t most = 0;
  for (int i = 0; i < 300; ++i) {
    add_gets(log, 0, 5);
    REQUIRE(log.commit());
    log.rotate_if_due(0);
    most = std::max(most, bytes_in(folder));
  }
  REQUIRE(log.commit());
  CHECK(most <= 13'500 + 700);  // one write more at most
  CHECK(most > 8'000);
  const auto files = log_files(folder.path()).value();
  CHECK(files.front() - 1 == log.removed_files());
  CHECK(files.back() - files.front() + 1 == files.size());
  const auto report = verify(folder.path());
  REQUIRE(report);
  INFO(report->text());
  CHECK(report->is_whole());
  CHECK(report->first_number == files.front());
  CHECK(report->removed_files == files.front() - 1);
  CHECK_THAT(report->text(), Contains("begins with file " + std::to_string(files.front())) &&
                                 Contains("the disk budget took 1 to ") &&
                                 !Contains("nothing says"));
  REQUIRE(report->lane_reports.size() == 1);
  const LaneReport& lane = report->lane_reports.front();
  CHECK(lane.first > 0);
  CHECK(lane.next == 1'500);
  CHECK(lane.records == lane.next - lane.first);
  CHECK(lane.scope == "shop/checkout#1");
}

TEST_CASE("a budget that is less than before takes the oldest files at the start") {
  TemporaryFolder folder;
  LogConfig config = config_in(folder);
  config.rotate_bytes = 1'000;
  {
    LogFile log = open_log(config);
    for (int i = 0; i < 30; ++i) {
      add_gets(log, 0, 5);
      REQUIRE(log.commit());
      log.rotate_if_due(0);
    }
    REQUIRE(log.commit());
  }
  REQUIRE(log_files(folder.path())->front() == 1);
  config.budget_bytes = 3'000;
  {
    auto log = FlowLog::open({config, OnFullDisk::wait});
    REQUIRE(log);
    while ((*log)->totals().removed_files == 0) std::this_thread::yield();
  }
  CHECK(log_files(folder.path())->front() > 1);
  CHECK(bytes_in(folder) <= 3'500);
  const auto report = verify(folder.path());
  INFO(report->text());
  CHECK(report->is_whole());
  CHECK(report->removed_files == report->first_number - 1);
}

TEST_CASE("a budget that one file passes is refused, with what to do") {
  TemporaryFolder folder;
  LogConfig config = config_in(folder);
  config.rotate_bytes = 1'000;
  config.budget_bytes = 999;
  const auto log = LogFile::open(config);
  REQUIRE_FALSE(log);
  CHECK(log.error() == Errc::invalid_argument);
  CHECK_THAT(log.error().message(), Contains("999B") && Contains("1000B"));
  CHECK(log_files(folder.path())->empty());
  config.budget_bytes = 1'000;
  CHECK(LogFile::open(config));
}

TEST_CASE("a file that cannot be removed is said, stays with all behind it, and stops nothing") {
  if (::geteuid() != 0) {
    WARN("skipped: only root can make a file that this process cannot remove");
    return;
  }
  TemporaryFolder folder;
  LogConfig config = config_in(folder);
  config.rotate_bytes = 1'000;
  config.budget_bytes = 3'000;
  const auto fill = [](LogFile& log, std::uint64_t files) {
    while (log.file_number() < files) {
      add_gets(log, 0, 5);
      if (!log.commit()) return false;
      log.rotate_if_due(0);
    }
    return log.commit().has_value();
  };
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    auto log = LogFile::open(config);
    if (!log || !fill(*log, 2)) ::_exit(1);
    // Who may not remove others' files here, and makes its own.
    if (::chmod(folder.path().c_str(), 01777) != 0) ::_exit(2);
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(3);
    if (!fill(*log, 5) || log->removed_files() != 0) ::_exit(4);
    const auto findings = log->take_findings();
    if (findings.empty() || findings[0].kind != LogEvent::Kind::file_kept) ::_exit(5);
    if (findings[0].text.find(log_file_name(1)) == std::string::npos) ::_exit(6);
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(log_files(folder.path())->size() == 5);
  CHECK(verify(folder.path())->is_whole());
}

TEST_CASE("a reader goes on with what is left when the budget takes the file that it reads") {
  TemporaryFolder folder;
  LogConfig config = config_in(folder);
  config.rotate_bytes = 1'000;
  LogFile log = open_log(config);
  const auto fill_file = [&log] {
    for (const std::uint64_t number = log.file_number(); log.file_number() == number;) {
      add_gets(log, 0, 5);
      REQUIRE(log.commit());
      log.rotate_if_due(0);
    }
    REQUIRE(log.commit());
  };
  fill_file();
  auto reader = LogReader::open(folder.path());
  REQUIRE(reader);
  Entry entry;
  REQUIRE(reader->next(entry).value());
  for (int files = 0; files < 4; ++files) fill_file();
  for (const std::uint64_t number : {1U, 2U, 3U}) {
    std::filesystem::remove(folder.path() + "/" + log_file_name(number));
  }
  std::uint64_t last = 0;
  while (reader->next(entry).value()) {
    INFO(entry.problem);
    REQUIRE(entry.kind != EntryKind::problem);
    last = entry.record.sequence;
  }
  CHECK(last + 1 == log.state().next.at({3, 0}));
}

}  // namespace
}  // namespace sessionblocks::flowlog
