#include "flowlog/log_follower.hpp"

#include <catch2/catch.hpp>
#include <optional>

#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using namespace testing;
using From = LogFollower::From;
using State = LogFollower::State;

BlockRef open_one(std::uint16_t) {
  return kBlock;
}

// A log that begins a new file after each batch.
LogConfig rotating(const TemporaryFolder& folder, const std::string& name = "logs") {
  LogConfig config = config_in(folder);
  config.folder += "/" + name;
  config.rotate_bytes = 1;
  return config;
}

LogFile open_log(const LogConfig& config) {
  auto log = LogFile::open(config);
  REQUIRE(log);
  return std::move(*log);
}

void add_gets(LogFile& log, std::size_t count, std::uint16_t lane = 0) {
  const LaneRef ref{3, lane};
  const auto at = log.state().next.find(ref);
  const std::uint64_t first = at == log.state().next.end() ? 0 : at->second;
  std::vector<RingCell> cells;
  for (std::size_t i = 0; i < count; ++i) cells.push_back(cell(Op::get, 42, first + i));
  log.add_records({ref, first, 1'000, cells}, open_one);
  REQUIRE(log.commit());
}

// What comes until nothing more does.
std::vector<Entry> take(LogFollower& follower) {
  std::vector<Entry> entries;
  Entry entry;
  for (;;) {
    const auto more = follower.next(entry);
    INFO((more ? std::string() : more.error().message()));
    REQUIRE(more);
    if (!*more) return entries;
    entries.push_back(entry);
  }
}

std::string sequences(const std::vector<Entry>& entries) {
  std::string text;
  for (const Entry& entry : entries) {
    text += entry.kind == EntryKind::record ? std::to_string(entry.record.sequence) + " " : "? ";
  }
  return text;
}

TEST_CASE("from now on: not what is in the files, and all that comes, over files") {
  TemporaryFolder folder;
  LogFile log = open_log(rotating(folder));
  add_gets(log, 3);
  log.rotate_if_due(0);
  add_gets(log, 2);
  LogFollower follower(rotating(folder).folder, From::now);
  CHECK(take(follower).empty());
  CHECK(follower.state() == State::present);
  add_gets(log, 1);
  CHECK(sequences(take(follower)) == "5 ");
  for (int file = 0; file < 3; ++file) {
    log.rotate_if_due(0);
    add_gets(log, 2);
  }
  CHECK(log.file_number() == 5);
  CHECK(sequences(take(follower)) == "6 7 8 9 10 11 ");
  LogFollower all(rotating(folder).folder, From::oldest);
  CHECK(sequences(take(all)) == "0 1 2 3 4 5 6 7 8 9 10 11 ");
}

TEST_CASE("a log that is not there yet is waited for, and read from its start") {
  TemporaryFolder folder;
  LogFollower follower(rotating(folder).folder, From::now);
  CHECK(take(follower).empty());
  CHECK(follower.state() == State::missing);
  LogFile log = open_log(rotating(folder));
  add_gets(log, 2);
  CHECK(sequences(take(follower)) == "0 1 ");
  CHECK(follower.state() == State::present);
}

TEST_CASE("files that were removed before they were read are a gap, whose cells are counted") {
  TemporaryFolder folder;
  LogConfig config = rotating(folder);
  LogFile log = open_log(config);
  add_gets(log, 2);
  LogFollower follower(config.folder, From::oldest);
  CHECK(sequences(take(follower)) == "0 1 ");
  for (const std::size_t count : {1U, 5U, 6U, 2U}) {
    add_gets(log, count);
    add_gets(log, 1, 1);
    log.rotate_if_due(0);
  }
  add_gets(log, 1);
  REQUIRE(log.file_number() == 5);
  // The first file is open, and read to its end; the two behind it are gone.
  for (const std::uint64_t number : {1U, 2U, 3U}) {
    std::filesystem::remove(config.folder + "/" + log_file_name(number));
  }
  const auto entries = take(follower);
  INFO(sequences(entries));
  REQUIRE(entries.size() == 7);
  CHECK(entries[0].record.sequence == 2);
  CHECK(entries[1].record.lane.lane == 1);
  REQUIRE(entries[2].kind == EntryKind::gap);
  CHECK(entries[2].files == 2);
  CHECK(entries[2].cells == 5 + 6 + 2);
  CHECK(entries[3].kind == EntryKind::record);
  CHECK(entries[3].record.sequence == 14);
  CHECK(entries[6].record.sequence == 16);
  for (const Entry& entry : entries) CHECK(entry.kind != EntryKind::problem);
}

TEST_CASE("a file that is missing behind older ones is damage, not the budget's work") {
  TemporaryFolder folder;
  const LogConfig config = rotating(folder);
  LogFile log = open_log(config);
  for (int file = 0; file < 3; ++file) {
    add_gets(log, 1);
    log.rotate_if_due(0);
  }
  std::filesystem::remove(config.folder + "/" + log_file_name(2));
  LogFollower follower(config.folder, From::oldest);
  const auto entries = take(follower);
  REQUIRE(entries.size() >= 2);
  CHECK(entries[1].kind == EntryKind::problem);
}

TEST_CASE("a log that was taken away is said to be, and the one in its place is read") {
  TemporaryFolder folder;
  const LogConfig config = rotating(folder);
  std::optional<LogFile> log = open_log(config);
  add_gets(*log, 2);
  LogFollower follower(config.folder, From::oldest);
  CHECK(sequences(take(follower)) == "0 1 ");
  log.reset();
  const bool is_folder_gone = GENERATE(true, false);
  if (is_folder_gone) {
    std::filesystem::remove_all(config.folder);
    CHECK(take(follower).empty());
    CHECK(follower.state() == State::taken_away);
  } else {
    // The follower looks only when another of the same number is there.
    std::filesystem::rename(config.folder, folder.path() + "/kept");
  }
  log.emplace(open_log(config));
  add_gets(*log, 3);
  std::string seen = sequences(take(follower));
  if (!is_folder_gone) {
    CHECK(follower.state() == State::taken_away);
    seen += sequences(take(follower));
  }
  CHECK(seen == "0 1 2 ");
  CHECK(follower.state() == State::present);
}

}  // namespace
}  // namespace sessionblocks::flowlog
