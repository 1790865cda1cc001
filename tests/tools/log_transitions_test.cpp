// What the log has besides records, of real directors and workers that are killed: transitions,
// and the numbers of operations that have no records.
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <sessionblocks/sessionblocks.hpp>
#include <sstream>
#include <thread>

#include "sessionctl_fixture.hpp"

namespace fs = std::filesystem;
using sessionctl_test::DirectedSystem;

namespace {

constexpr const char* kTellerCase = "a teller that is told when to go on";
constexpr std::uint64_t kReads = 3'000;
constexpr std::uint64_t kWrites = 1'000;
constexpr std::uint64_t kPastRing = 5'000;

void await_file(const fs::path& file) {
  while (!fs::exists(file)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}
void leave_file(const fs::path& file) {
  std::ofstream(file) << "x";
}

std::string suite() {
  return std::string(R"(schema = 1
[suite]
name = "shop"
[director]
ring_records = 1024
[block.noted]
kind = "shared"
owner = "suite"
quota = "1MiB"
audit = "writes"
grants = { teller = "rw" }
[block.counted]
kind = "shared"
owner = "suite"
quota = "1MiB"
audit = "counted"
grants = { teller = "rw" }
[block.fast]
kind = "shared"
owner = "suite"
quota = "1MiB"
on_full_ring = "count"
grants = { teller = "rw" }
[script.late]
command = ["/bin/sleep", "1000"]
timeout = "100ms"
[script.clumsy]
command = ["/bin/false"]
restart = "on-failure"
budget = { count = 2, within = "10s" }
[script.teller]
command = ["./worker", ")") +
         kTellerCase + R"("]
restart = "never"
paths = { write = ["out"] }
)";
}

std::vector<nlohmann::json> rows_of(const DirectedSystem& system,
                                    std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"log", "-o", "json"});
  const auto shown = system.ctl(more);
  INFO(shown.err);
  CHECK(shown.code == 0);
  std::vector<nlohmann::json> rows;
  std::istringstream lines(shown.out);
  for (std::string line; std::getline(lines, line);) rows.push_back(nlohmann::json::parse(line));
  return rows;
}

// How often each thing was said: "created block cart (1): shared, owner shop".
using Said = std::map<std::string, int>;

Said said_by_events(const DirectedSystem& system) {
  Said said;
  std::ifstream lines(system.runtime() / "logs" / "director.log");
  for (std::string line; std::getline(lines, line);) {
    const auto time = line.find(' ');
    const std::string what = line.substr(line.find(' ', time + 1) + 1);
    if (what.find(" audit log") == std::string::npos) ++said[what];  // the log's own
  }
  return said;
}

std::string line_of(const nlohmann::json& note) {
  std::string line =
      note.at("what").get<std::string>() + " " + note.at("subject").get<std::string>();
  const std::string text = note.value("text", "");
  return text.empty() ? line : line + ": " + text;
}

void add_counts(std::map<std::string, std::pair<std::uint64_t, std::uint64_t>>& sums,
                const nlohmann::json& note) {
  auto& [reads, writes] = sums[note.value("block", "lost")];
  reads += note.value("reads", std::uint64_t{0}) + note.value("lost", std::uint64_t{0});
  writes += note.value("writes", std::uint64_t{0});
}

}  // namespace

TEST_CASE(kTellerCase, "[.]") {
  ::alarm(sessionctl_test::kWatchdogSeconds);
  auto session = sessionblocks::Session::attach();
  REQUIRE(session);
  auto noted = session->open("noted");
  auto counted = session->open("counted");
  auto fast = session->open("fast");
  REQUIRE((noted && counted && fast));
  const auto work = [](sessionblocks::Block& block, std::uint64_t reads, std::uint64_t writes) {
    for (std::uint64_t i = 0; i < writes; ++i) REQUIRE(block.put("key", std::int64_t{1}));
    for (std::uint64_t i = 0; i < reads; ++i) REQUIRE(block.get<std::int64_t>("key"));
  };
  for (const char* phase : {"1", "2", "3"}) {
    await_file(std::string("out/go") + phase);
    work(*noted, kReads, kWrites);
    work(*counted, kReads, kWrites);
    if (*phase == '3') work(*fast, kPastRing, 1);
    leave_file(std::string("out/done") + phase);
  }
  ::kill(::getpid(), SIGKILL);
}

TEST_CASE("directors and workers are killed: the log has each transition, and counts are exact") {
  DirectedSystem system(suite());
  const fs::path out = system.folder() / "out";
  fs::create_directory(out);
  fs::copy_file("/proc/self/exe", system.folder() / "worker");
  system.start();
  leave_file(out / "go1");
  await_file(out / "done1");
  REQUIRE(system.ctl({"seal", "counted"}).code == 0);
  REQUIRE(system.ctl({"unseal", "counted"}).code == 0);
  system.kill_director();
  leave_file(out / "go2");  // without a director
  await_file(out / "done2");
  system.start();
  CHECK(system.ctl({"get", "noted", "key", "--scope", "shop/late"}).code != 0);
  system.pause_director();  // nobody empties the ring
  leave_file(out / "go3");
  await_file(out / "done3");
  system.resume_director();
  const auto ended = [&] {
    for (const auto& row : rows_of(system, {"what=ended"})) {
      if (row.at("subject") == "scope shop/teller") return true;
    }
    return false;
  };
  while (!ended() || rows_of(system, {"what=timed-out"}).empty()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  // In the log's way: the director's own, and sealing by whom.
  const auto sealed = rows_of(system, {"what=sealed"});
  REQUIRE(sealed.size() == 1);
  CHECK(sealed[0].at("by").get<std::string>().starts_with("pid "));
  CHECK(sealed[0].at("block") == "counted");
  CHECK(system.ctl({"log", "what=sealt"}).code == 2);
  const auto logs = (system.runtime() / "logs").native();
  CHECK(system.stop_director() == 0);

  Said noted;
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> sums;
  std::uint64_t number = 0;
  std::uint64_t fast_gets = 0;
  for (const auto& row : rows_of(system, {"--log-dir", logs})) {
    CHECK_FALSE(row.contains("problem"));
    const std::string note = row.value("note", "");
    if (note == "counted") add_counts(sums, row);
    if (row.value("op", "") == "get" && row.value("block", "") == "fast") {
      fast_gets += row.value("count", std::uint64_t{1});
    }
    if (note != "transition" && note != "interrupted") continue;
    CHECK(row.at("number") == ++number);
    if (note == "transition") ++noted[line_of(row)];
  }
  for (const auto& [block, sum] : sums)
    UNSCOPED_INFO(block << " " << sum.first << " " << sum.second);
  CHECK(sums["noted"] == std::pair(3 * kReads, std::uint64_t{0}));
  CHECK(sums["counted"] == std::pair(3 * kReads, 3 * kWrites));
  CHECK(sums["lost"].first > 0);
  CHECK(fast_gets + sums["lost"].first == kPastRing);
  const Said events = said_by_events(system);
  int more = 0;
  for (const auto& [line, times] : events) {
    INFO(line);
    CHECK(noted[line] >= times);
  }
  for (const auto& [line, times] : noted) {
    const auto heard = events.find(line);
    more += times - (heard == events.end() ? 0 : heard->second);
  }
  CHECK(more <= 1);  // a director was killed between the note and the line
  for (const char* what : {"started", "adopted", "restarted", "timed-out", "stopped", "begun",
                           "failed", "died", "recovered", "ended"}) {
    INFO(what);
    CHECK(std::any_of(noted.begin(), noted.end(), [what](const auto& said) {
      return said.first.starts_with(std::string(what) + " ");
    }));
  }
}
