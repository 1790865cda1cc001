#include "flowlog/log_file.hpp"

#include <catch2/catch.hpp>
#include <optional>

#include "flowlog/file_scanner.hpp"
#include "platform/clock.hpp"
#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using namespace testing;

std::string only_file(const TemporaryFolder& folder) {
  return folder.path() + "/" + log_file_name(1);
}

TEST_CASE("what was committed is read back, and goes on after a restart") {
  TemporaryFolder folder;
  for (int run = 0; run < 3; ++run) {
    LogFile log = open_log(config_in(folder));
    if (run == 0) name_worker(log);
    add_gets(log, 0, 10);
    add_gets(log, 1, 5);
    REQUIRE(log.commit());
  }
  const auto records = read_records(folder.path());
  REQUIRE(records.size() == 45);
  for (const LogRecord& record : records) CHECK(record.version == record.sequence);
  auto report = verify(folder.path());
  REQUIRE(report);
  CHECK(report->is_whole());
  CHECK(report->lanes == 2);
}

TEST_CASE("what the log has already is passed over, and a gap is stated") {
  TemporaryFolder folder;
  LogFile log = open_log(config_in(folder));
  std::vector<RingCell> cells(8, cell(Op::get, 0, 1));
  log.add_records({{3, 0}, 0, 1'000, cells}, open_one);
  log.add_records({{3, 0}, 4, 1'000, cells}, open_one);
  log.add_records({{3, 0}, 2, 1'000, std::span(cells).first(3)}, open_one);
  log.add_records({{3, 0}, 20, 1'000, cells}, open_one);
  REQUIRE(log.commit());
  auto report = verify(folder.path());
  REQUIRE(report);
  INFO(report->text());
  CHECK(report->is_whole());
  CHECK(report->records == 20);
  CHECK(report->missing_cells == 8);
}

TEST_CASE("a log cut at any byte is taken up at its last whole commit") {
  TemporaryFolder folder;
  std::vector<std::size_t> ends;  // of commits
  {
    LogFile log = open_log(config_in(folder));
    name_worker(log);
    for (int i = 0; i < 4; ++i) {
      add_gets(log, 0, 3);
      REQUIRE(log.commit());
      ends.push_back(slurp(only_file(folder)).size());
    }
  }
  const std::string whole = slurp(only_file(folder));
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    TemporaryFolder copy;
    spill(copy.path() + "/" + log_file_name(1), whole.substr(0, size));
    const auto kept =
        std::count_if(ends.begin(), ends.end(), [&](auto end) { return end <= size; });
    LogFile log = open_log(config_in(copy));
    const auto at = log.state().next.find({3, 0});
    const std::uint64_t next = at == log.state().next.end() ? 0 : at->second;
    CAPTURE(size, next, kept);
    REQUIRE(next == static_cast<std::uint64_t>(kept) * 3);
    add_gets(log, 0, 1);
    REQUIRE(log.commit());
    auto report = verify(copy.path());
    REQUIRE(report);
    INFO(report->text());
    REQUIRE(report->is_whole());
    REQUIRE(report->records == next + 1);
  }
}

TEST_CASE("a second file cut at any byte loses nothing of what the first one says") {
  TemporaryFolder folder;
  {
    LogConfig config = config_in(folder);
    config.rotate_bytes = 1;
    LogFile log = open_log(config);
    name_worker(log);
    add_gets(log, 0, 3);
    REQUIRE(log.commit());
    log.rotate_if_due(0);
    add_gets(log, 0, 2);
    REQUIRE(log.commit());
  }
  const std::string first = slurp(only_file(folder));
  const std::string second = slurp(folder.path() + "/" + log_file_name(2));
  for (std::size_t size = 0; size <= second.size(); ++size) {
    TemporaryFolder copy;
    spill(copy.path() + "/" + log_file_name(1), first);
    spill(copy.path() + "/" + log_file_name(2), second.substr(0, size));
    LogFile log = open_log(config_in(copy));
    CAPTURE(size);
    REQUIRE(log.state().next.at({3, 0}) == (size == second.size() ? 5 : 3));
    add_gets(log, 0, 1);
    REQUIRE(log.commit());
    auto report = verify(copy.path());
    REQUIRE(report);
    INFO(report->text());
    REQUIRE(report->is_whole());
  }
}

TEST_CASE("every altered byte of a log is found") {
  TemporaryFolder folder;
  {
    LogConfig config = config_in(folder);
    config.rotate_bytes = 600;
    LogFile log = open_log(config);
    log.keys().define({kBlock, 42}, "the key");
    name_worker(log);
    for (int i = 0; i < 4; ++i) {
      add_gets(log, 0, 5);
      REQUIRE(log.commit());
      log.rotate_if_due(0);
    }
    REQUIRE(log.commit());
  }
  REQUIRE(verify(folder.path())->is_whole());
  auto files = log_files(folder.path());
  REQUIRE(files);
  REQUIRE(files->size() >= 2);
  for (const std::uint64_t number : *files) {
    const std::string path = folder.path() + "/" + log_file_name(number);
    const std::string whole = slurp(path);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string altered = whole;
      altered[at] = static_cast<char>(altered[at] ^ (1 << (at % 8)));
      spill(path, altered);
      auto report = verify(folder.path());
      REQUIRE(report);
      CAPTURE(number, at, report->text());
      REQUIRE_FALSE(report->is_whole());
      REQUIRE(report->first_place.file == log_file_name(number));
      REQUIRE(report->first_place.offset <= at);
    }
    spill(path, whole);
  }
}

TEST_CASE("a frame or a file that was taken out is found") {
  TemporaryFolder folder;
  std::vector<std::size_t> ends;
  {
    LogConfig config = config_in(folder);
    LogFile log = open_log(config);
    for (int i = 0; i < 5; ++i) {
      add_gets(log, 0, 5);
      REQUIRE(log.commit());
      ends.push_back(slurp(only_file(folder)).size());
    }
  }
  const std::string whole = slurp(only_file(folder));
  spill(only_file(folder), whole.substr(0, ends[1]) + whole.substr(ends[2]));
  auto report = verify(folder.path());
  REQUIRE(report);
  CHECK_FALSE(report->is_whole());
  CHECK(report->first_place.offset == ends[1]);
}

TEST_CASE("a number that is missing is found though the chain holds") {
  TemporaryFolder folder;
  ByteBuffer out;
  Chain chain{};
  const auto put = [&](FrameHeader header, auto put_payload) {
    const std::size_t place = begin_frame(out);
    put_payload();
    end_frame(out, place, header, chain);
  };
  const auto put_gap = [&](std::uint64_t first, std::uint64_t cells) {
    FrameHeader header;
    header.kind = FrameKind::gap;
    header.worker = 3;
    header.first = first;
    put(header, [&] { out.put_varint(cells); });
  };
  FrameHeader header;
  header.kind = FrameKind::file_begin;
  LogIdentity identity;
  identity.file_number = 1;
  put(header, [&] { encode(out, identity); });
  header.kind = FrameKind::state;
  put(header, [&] { encode(out, LogState{}); });
  put_gap(0, 5);
  const auto save = [&] {
    spill(only_file(folder), {reinterpret_cast<const char*>(out.data()), out.size()});
  };
  save();
  REQUIRE(verify(folder.path())->is_whole());
  const std::size_t end = out.size();
  SECTION("a record is skipped") {
    put_gap(6, 5);
  }
  SECTION("a record comes twice") {
    put_gap(4, 5);
  }
  save();
  auto report = verify(folder.path());
  REQUIRE(report);
  CHECK_FALSE(report->is_whole());
  CHECK(report->first_place.offset == end);
  CHECK(report->first_problem.starts_with("worker 3 lane 0"));
}

TEST_CASE("an altered log is kept as it is, and the log goes on in a new file that says so") {
  TemporaryFolder folder;
  std::size_t end = 0;
  {
    LogFile log = open_log(config_in(folder));
    add_gets(log, 0, 5);
    REQUIRE(log.commit());
    end = slurp(only_file(folder)).size();
    add_gets(log, 0, 5);
    REQUIRE(log.commit());
    add_gets(log, 0, 5);
    REQUIRE(log.commit());
  }
  std::string altered = slurp(only_file(folder));
  altered[end + 90] = static_cast<char>(altered[end + 90] ^ 1);
  spill(only_file(folder), altered);
  LogFile log = open_log(config_in(folder));
  CHECK(log.file_number() == 2);
  CHECK(log.state().next.at({3, 0}) == 15);
  CHECK(slurp(only_file(folder)) == altered);
  add_gets(log, 0, 5);
  REQUIRE(log.commit());
  auto report = verify(folder.path());
  REQUIRE(report);
  CHECK(report->first_place.offset == end);
  CHECK(report->records == 15);
}

TEST_CASE("each file defines the keys it names, and the budget removes the oldest") {
  TemporaryFolder folder;
  LogConfig config = config_in(folder);
  config.rotate_bytes = 4'000;
  config.budget_bytes = 20'000;
  LogFile log = open_log(config);
  name_worker(log);
  for (std::uint64_t i = 0; i < 400; ++i) {
    log.keys().define({kBlock, i + 1}, "key " + std::to_string(i));
    add_gets(log, 0, 3, i + 1);
    add_gets(log, 0, 1, 1);
    REQUIRE(log.commit());
    log.rotate_if_due(0);
  }
  REQUIRE(log.commit());
  auto files = log_files(folder.path());
  REQUIRE(files);
  CHECK(files->size() > 2);
  CHECK(files->front() > 1);
  std::uint64_t total = 0;
  for (const std::uint64_t number : *files) {
    total += std::filesystem::file_size(folder.path() + "/" + log_file_name(number));
  }
  CHECK(total <= 20'000 + 4'500);
  auto report = verify(folder.path());
  REQUIRE(report);
  INFO(report->text());
  CHECK(report->is_whole());
  for (const LogRecord& record : read_records(folder.path())) {
    REQUIRE(record.key == "key " + std::to_string(record.key_id - 1));
  }
}

TEST_CASE("a reader does not leave a file for one that never began") {
  TemporaryFolder folder;
  LogConfig config = config_in(folder);
  std::optional<LogFile> log(open_log(config));
  name_worker(*log);
  add_gets(*log, 0, 10);
  REQUIRE(log->commit());
  auto reader = LogReader::open(folder.path());
  REQUIRE(reader);
  const auto read = [&reader] {
    std::size_t records = 0;
    for (Entry entry; reader->next(entry).value_or(false);) {
      INFO(entry.problem);
      CHECK(entry.kind != EntryKind::problem);
      records += entry.kind == EntryKind::record ? 1 : 0;
    }
    return records;
  };
  spill(folder.path() + "/" + log_file_name(2), GENERATE(as<std::string>(), "", "half"));
  CHECK(read() == 10);
  log.reset();
  log.emplace(open_log(config));  // removes it, and goes on in the first
  add_gets(*log, 0, 5);
  REQUIRE(log->commit());
  CHECK(read() == 5);
  log->rotate_if_due(platform::monotonic_coarse_ms() + config.rotate_ms);
  add_gets(*log, 0, 5);
  REQUIRE(log->commit());
  CHECK(read() == 5);
}

TEST_CASE("a file is not rotated away from under frames that are staged for it") {
  TemporaryFolder folder;
  {
    LogConfig config = config_in(folder);
    config.rotate_bytes = 1;
    LogFile log = open_log(config);
    name_worker(log);
    log.rotate_if_due(0);
    CHECK(log.file_number() == 1);
    REQUIRE(log.commit());
    log.rotate_if_due(0);
    CHECK(log.file_number() == 2);
    REQUIRE(log.commit());
  }
  CHECK(verify(folder.path())->is_whole());
}

TEST_CASE("after a restart keys that only older files define are found there") {
  TemporaryFolder folder;
  LogConfig config = config_in(folder);
  config.rotate_bytes = 500;
  {
    LogFile log = open_log(config);
    log.keys().define({kBlock, 42}, "old");
    for (int i = 0; i < 10; ++i) {
      add_gets(log, 0, 1, i == 0 ? 42 : 0);
      REQUIRE(log.commit());
      log.rotate_if_due(0);
    }
    REQUIRE(log.commit());
    REQUIRE(log.file_number() > 2);
  }
  LogFile log = open_log(config);
  add_gets(log, 0, 1, 42);
  REQUIRE(log.commit());
  CHECK(log.unknown_keys() == 0);
  CHECK(read_records(folder.path()).back().key == "old");
}

TEST_CASE("a key that is defined again in a frame is known to the records before that, too") {
  TemporaryFolder folder;
  const LaneRef lane{3, 0};
  LogFile log = open_log(config_in(folder));
  log.keys().define({kBlock, 42}, "key");
  RingCell again = cell(Op::define_key, 42, 1);
  again.flags = layout::kInlineKey;
  again.value_bytes = 3;
  RingCell bytes{};
  std::memcpy(&bytes, "key", 3);
  const std::vector<RingCell> cells = {cell(Op::get, 42, 0), again, bytes, cell(Op::put, 42, 3)};
  log.add_records({lane, 0, 1'000, cells}, open_one);
  REQUIRE(log.commit());
  for (const LogRecord& record : read_records(folder.path())) CHECK(record.key == "key");
}

TEST_CASE("a new session system of the same name begins its lanes anew") {
  TemporaryFolder folder;
  LogConfig config = config_in(folder);
  for (std::uint8_t run = 0; run < 2; ++run) {
    config.instance[0] = run;
    LogFile log = open_log(config);
    CHECK(log.state().next.empty());
    add_gets(log, 0, 4);
    REQUIRE(log.commit());
  }
  auto report = verify(folder.path());
  REQUIRE(report);
  INFO(report->text());
  CHECK(report->is_whole());
  CHECK(report->records == 8);
}

TEST_CASE("dropped records leave a stated gap, and notes stay") {
  TemporaryFolder folder;
  LogFile log = open_log(config_in(folder));
  log.keys().define({kBlock, 42}, "k");
  add_gets(log, 0, 4);
  REQUIRE(log.commit());
  add_gets(log, 0, 6);
  name_worker(log);
  log.drop();
  log.drop();
  add_gets(log, 0, 2);
  REQUIRE(log.commit());
  auto report = verify(folder.path());
  REQUIRE(report);
  INFO(report->text());
  CHECK(report->is_whole());
  CHECK(report->records == 6);
  CHECK(report->missing_cells == 6);
  CHECK(report->notes == 1);
}

}  // namespace
}  // namespace sessionblocks::flowlog
