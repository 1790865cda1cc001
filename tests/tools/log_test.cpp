// sessionctl log, log verify and director.log, over logs that directors made of real scripts.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sessionblocks/sessionblocks.hpp>
#include <sstream>
#include <thread>

#include "flowlog/file_scanner.hpp"
#include "output_of.hpp"
#include "sessionctl_fixture.hpp"

namespace fs = std::filesystem;
namespace flowlog = sessionblocks::flowlog;
using Catch::Contains;
using sessionctl_test::DirectedSystem;
using sessionctl_test::Outcome;

namespace {

constexpr const char* kWorkerCase = "a worker that puts until it is killed";
constexpr const char* kOddKey = "\xff\x01k";

// A keeper at work, and a script that uses the command line.
constexpr const char* kShop = R"(schema = 1
[suite]
name = "shop"
[block.cart]
kind = "shared"
owner = "suite"
quota = "1MiB"
grants = { clerk = "rw" }
[block.secret]
kind = "shared"
owner = "suite"
quota = "1MiB"
grants = { viewer = "r" }
[script.viewer]
command = ["/bin/true"]
[script.clerk]
command = ["/bin/sh", "./clerk.sh"]
)";

constexpr const char* kClerk = R"sh(set -u
./sessionctl put cart greeting "hello world" || exit 11
./sessionctl get cart greeting > /dev/null || exit 12
./sessionctl get cart nothing 2> /dev/null; test $? = 3 || exit 13
odd="$(printf '\377\001k')"
./sessionctl put cart "$odd" v || exit 14
./sessionctl incr cart count 5 > /dev/null || exit 15
./sessionctl erase cart greeting || exit 16
./sessionctl get secret k 2> /dev/null; test $? = 5 || exit 17
)sh";

std::string director_log(const DirectedSystem& system) {
  std::ostringstream text;
  text << std::ifstream(system.runtime() / "logs" / "director.log").rdbuf();
  return text.str();
}

void run_clerk(DirectedSystem& system) {
  fs::copy_file(SESSIONCTL, system.folder() / "sessionctl", fs::copy_options::skip_existing);
  system.write_file("clerk.sh", kClerk);
  system.start("run");
  REQUIRE(system.wait() == 0);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<nlohmann::json> json_lines(const DirectedSystem& system,
                                       std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"log", "-o", "json"});
  const Outcome outcome = system.ctl(more);
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  std::vector<nlohmann::json> rows;
  for (const std::string& line : lines_of(outcome.out)) rows.push_back(nlohmann::json::parse(line));
  return rows;
}

// The operations that a query shows, in order; notes are "-".
std::string ops(const DirectedSystem& system, const std::vector<std::string>& query) {
  std::string text;
  for (const auto& row : json_lines(system, query)) {
    text += row.value("op", "-") + (row.value("outcome", "ok") == "ok" ? " " : "! ");
  }
  return text;
}

}  // namespace

TEST_CASE("the log shows what a script did, and each filter shows its part of it") {
  DirectedSystem system(kShop);
  run_clerk(system);
  CHECK(ops(system, {"--op", "reads,writes"}) == "put get get! put increment erase ");
  CHECK(ops(system, {"--op", "writes"}) == "put put increment erase ");
  CHECK(ops(system, {"--op", "get"}) == "get get! ");
  CHECK(ops(system, {"--op", "put,erase"}) == "put put erase ");
  CHECK(ops(system, {"--outcome", "not_found"}) == "get! ");
  CHECK(ops(system, {"--key", "greeting"}) == "put get erase ");
  CHECK(ops(system, {"--prefix", "gr", "--op", "writes"}) == "put erase ");
  CHECK(ops(system, {"--key", kOddKey}) == "put ");
  CHECK(ops(system, {"--key", "/wFr", "--base64"}) == "put ");
  CHECK(ops(system, {"--prefix", "/w==", "--base64"}) == "put ");
  CHECK(ops(system, {"--block", "cart", "--op", "put"}) == "put put ");
  CHECK(ops(system, {"--block", "#1", "--op", "put"}) == "put put ");
  CHECK(ops(system, {"--block", "secret", "--op", "put"}).empty());
  CHECK(ops(system, {"--scope", "shop/clerk", "--op", "put"}) == "put put ");
  CHECK(ops(system, {"--scope", "shop", "--op", "put"}) == "put put ");
  CHECK(ops(system, {"--scope", "shop/cle", "--op", "put"}).empty());
  CHECK(ops(system, {"--since", "1h", "--op", "put"}) == "put put ");
  CHECK(ops(system, {"--until", "1h", "--op", "put"}).empty());
  CHECK(ops(system, {"--since", "2020-01-01", "--op", "put"}) == "put put ");
  CHECK(ops(system, {"--until", "2020-01-01T10:00:00Z"}).empty());
  CHECK(ops(system, {"op=write && key~\"gr*\" && size>4"}) == "put ");
  CHECK(ops(system, {"(op=get || op=erase) && outcome=ok"}) == "get erase ");
  CHECK(ops(system, {"block=cart && scope=shop/clerk && !op=put", "--op", "writes"}) ==
        "increment erase ");
  CHECK(ops(system, {"key=\"\\xff\\x01k\" && time>1h"}) == "put ");
  CHECK(ops(system, {"op=define_key && key=greeting"}) == "define_key ");
  CHECK(ops(system, {"key=nothing || size=7 && op=read"}) == "get! ");
  CHECK_FALSE(json_lines(system, {"key=nothing"}).at(0).contains("size"));

  const auto put = json_lines(system, {"--op", "put", "--key", "greeting"}).at(0);
  CHECK(put.at("block") == "cart");
  CHECK(put.at("scope") == "shop/clerk#1");
  CHECK(put.at("version") == 1);
  CHECK(put.at("size") == 11);
  const auto worker = std::to_string(put.at("worker").get<int>());
  CHECK(ops(system, {"--worker", worker, "--op", "reads,writes"}) == "put ");
  const auto time = put.at("time").get<std::string>();
  CHECK(ops(system, {"--until", time.substr(0, 10)}).empty());  // midnight
  CHECK(json_lines(system, {"--key", kOddKey}).at(0).at("key_base64") == "/wFr");

  const auto rows = lines_of(system.ctl({"log", "--op", "writes"}).out);
  REQUIRE(rows.size() == 5);
  CHECK_THAT(rows[0], Catch::StartsWith("TIME (UTC)") && Contains("BYTES  KEY OR NOTE"));
  CHECK(rows[1] == time + "  " + std::string(6 - worker.size(), ' ') + worker +
                       "  shop/clerk#1          cart          put              ok        " +
                       "         1        11  greeting");
  CHECK_THAT(rows[2], Catch::EndsWith("  \\xff\\x01k"));
}

TEST_CASE("log commands that cannot be meant are usage errors") {
  DirectedSystem system(kShop);
  run_clerk(system);
  const std::vector<std::vector<std::string>> wrong = {{"--worker", "x"},
                                                       {"op=frob"},
                                                       {"op=put", "more"},
                                                       {""},
                                                       {"--follow", "--until", "1h"},
                                                       {"--duration", "1s"},
                                                       {"--follow", "--duration", "0s"},
                                                       {"--follow", "--duration", "soon"},
                                                       {"-o", "xml"},
                                                       {"verify", "-o", "trace"},
                                                       {"verify", "--follow"},
                                                       {"verify", "op=put"},
                                                       {"--op", "frob"},
                                                       {"--outcome", "bad"},
                                                       {"--key", ""},
                                                       {"--key", "**", "--base64"},
                                                       {"--since", "soon"},
                                                       {"--since", "1h", "--until", "2h"},
                                                       {"verify", "more"}};
  for (auto words : wrong) {
    const std::string last = words.back();
    words.insert(words.begin(), "log");
    const Outcome outcome = system.ctl(words);
    INFO(words[1] << " " << last << ": " << outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.out.empty());
    CHECK_FALSE(outcome.err.empty());
  }
}

TEST_CASE("an expression that is wrong is shown with a caret, and -o trace is of log alone") {
  DirectedSystem system(kShop);
  const Outcome wrong = system.ctl({"log", "op=put && sise>4"});
  CHECK(wrong.code == 2);
  CHECK(wrong.out.empty());
  CHECK(wrong.err ==
        "sessionctl: the expression, column 11: expected block, scope, worker, key, op, outcome, "
        "size, version, time or what\n"
        "  op=put && sise>4\n"
        "            ^\n");
  const Outcome other = system.ctl({"ls", "-o", "trace"});
  CHECK(other.code == 2);
  CHECK_THAT(other.err, Contains("only log has it"));
}

TEST_CASE("the trace of a log has each of its operations") {
  DirectedSystem system(kShop);
  run_clerk(system);
  const Outcome outcome = system.ctl({"log", "-o", "trace"});
  CHECK(outcome.code == 0);
  std::vector<nlohmann::json> traced;
  for (const auto& event : outcome.json()) {
    if (event.at("ph") == "i") traced.push_back(event.at("args"));
  }
  CHECK(traced == json_lines(system));
  CHECK(system.ctl({"log", "-o", "trace", "key=absent"}).json().empty());
}

namespace {

// Where frames begin, and what kinds they are.
std::vector<std::pair<std::uint64_t, flowlog::FrameKind>> frames_of(const fs::path& file) {
  std::vector<std::pair<std::uint64_t, flowlog::FrameKind>> frames;
  auto opened = sessionblocks::platform::DiskFile::open_read(file);
  REQUIRE(opened);
  flowlog::FileScanner scanner(std::move(*opened));
  flowlog::Frame frame;
  while (scanner.next(frame).value_or(flowlog::Step::end) == flowlog::Step::frame) {
    frames.emplace_back(scanner.frame_at(), frame.header.kind);
  }
  return frames;
}

std::string bytes_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void expect_damage(const DirectedSystem& system, const std::string& file, std::uint64_t offset) {
  const Outcome table = system.ctl({"log", "verify"});
  const Outcome json = system.ctl({"log", "verify", "-o", "json"});
  INFO(table.out << table.err);
  CHECK(table.code == 6);
  CHECK_THAT(table.out, Catch::StartsWith("NOT WHOLE") &&
                            Contains(file + " at byte " + std::to_string(offset) + ": "));
  CHECK(json.code == 6);
  CHECK(json.json().at("whole") == false);
  CHECK(json.json().at("file") == file);
  CHECK(json.json().at("offset") == offset);
  // An end that is torn may be being written, so only verify calls it damage.
  if (!json.json().at("torn_tail")) {
    const Outcome shown = system.ctl({"log"});
    CHECK(shown.code == 6);
    CHECK_THAT(shown.out, Contains("PROBLEM in " + file + " at byte " + std::to_string(offset)));
  }
}

}  // namespace

TEST_CASE("verify names the file and the first place of whatever was done to a log") {
  DirectedSystem system(kShop);
  for (int run = 0; run < 3; ++run) run_clerk(system);
  const Outcome whole = system.ctl({"log", "verify"});
  INFO(whole.out);
  CHECK(whole.code == 0);
  CHECK_THAT(whole.out, Catch::StartsWith("whole: 18 operations in ") &&
                            Contains("in 3 files from flow-0000000001.sblog on\n"));
  CHECK(system.ctl({"log", "verify", "-o", "json"}).json().at("whole") == true);

  const std::string name = "flow-0000000002.sblog";
  const fs::path file = system.runtime() / "logs" / name;
  const std::string intact = bytes_of(file);
  const auto frames = frames_of(file);
  REQUIRE(frames.size() > 10);
  const auto put_back = [&] { std::ofstream(file, std::ios::binary) << intact; };

  // One byte, in the head and in the payload of frames from the first to the last.
  for (const std::size_t frame :
       {std::size_t{0}, std::size_t{1}, frames.size() / 2, frames.size() - 1}) {
    for (const std::uint64_t into : {0U, 13U, 20U, 50U, 60U, 88U}) {
      std::string altered = intact;
      altered[frames[frame].first + into] =
          static_cast<char>(altered[frames[frame].first + into] ^ 4);
      std::ofstream(file, std::ios::binary) << altered;
      CAPTURE(frame, into);
      expect_damage(system, name, frames[frame].first);
    }
  }
  // A frame of records taken out: the next one does not follow.
  const auto records = std::find_if(frames.begin(), frames.end(), [](const auto& frame) {
    return frame.second == flowlog::FrameKind::records;
  });
  REQUIRE(records != frames.end());
  std::ofstream(file, std::ios::binary)
      << intact.substr(0, records->first) << intact.substr((records + 1)->first);
  expect_damage(system, name, records->first);
  // Cut inside a frame, and between two: the file behind it does not follow.
  std::ofstream(file, std::ios::binary) << intact.substr(0, records->first + 40);
  expect_damage(system, name, records->first);
  std::ofstream(file, std::ios::binary) << intact.substr(0, records->first);
  expect_damage(system, "flow-0000000003.sblog", 0);
  // The file taken out.
  fs::rename(file, system.folder() / "taken");
  expect_damage(system, "flow-0000000003.sblog", 0);
  CHECK_THAT(system.ctl({"log", "verify"}).out, Contains("flow-0000000002.sblog is missing"));
  put_back();
  CHECK(system.ctl({"log", "verify"}).code == 0);
  // The newest file cut in the middle of its last frame.
  const fs::path newest = system.runtime() / "logs" / "flow-0000000003.sblog";
  const std::uint64_t last = frames_of(newest).back().first;
  fs::resize_file(newest, fs::file_size(newest) - 1);
  const Outcome torn = system.ctl({"log", "verify"});
  CHECK(torn.code == 6);
  CHECK_THAT(torn.out, Contains("flow-0000000003.sblog at byte " + std::to_string(last)));
  CHECK(system.ctl({"log"}).code == 0);  // readable all the same
}

TEST_CASE(
    "a log is signed with a key of the state folder, and proved with a copy of its public half") {
  DirectedSystem system(kShop);
  run_clerk(system);
  const fs::path key = system.runtime() / "state" / "log.key";
  CHECK(fs::status(key).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  const fs::path copy = system.folder() / "copy.pub";
  fs::copy_file(system.runtime() / "logs" / "log.pub", copy);
  run_clerk(system);

  const auto report = system.ctl({"log", "verify", "-o", "json"}).json();
  const auto& checkpoints = report.at("checkpoints");
  const auto last = checkpoints.at("last").get<std::uint64_t>();
  CHECK(checkpoints.at("count") == last);
  CHECK(checkpoints.at("records_behind") == 0);  // its director ended it
  CHECK(checkpoints.at("notes_behind") == 0);
  CHECK(checkpoints.at("file") == "flow-0000000002.sblog");
  CHECK(report.at("first_number") == 1);
  CHECK(report.at("ranges").size() == report.at("lanes"));
  std::uint64_t records = 0;
  for (const auto& range : report.at("ranges")) {
    CHECK(range.at("first") == 0);
    CHECK(range.at("signed_next") == range.at("next"));
    CHECK(range.at("missing") == 0);
    CHECK(range.at("gaps").empty());
    records += range.at("records").get<std::uint64_t>();
  }
  CHECK(records == report.at("records"));
  const Outcome table = system.ctl({"log", "verify"});
  CHECK_THAT(table.out, Contains("\nsigned: all before flow-0000000002.sblog at byte ") &&
                            Contains(" (shop/clerk#1), session system 2: numbers 0"));

  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"log", "verify"});
    return system.ctl(more);
  };
  CHECK(with({"--public-key", copy}).code == 0);
  CHECK(with({"--since-checkpoint", std::to_string(last)}).code == 0);
  const Outcome cut = with({"--since-checkpoint", std::to_string(last + 1)});
  CHECK(cut.code == 6);
  CHECK_THAT(cut.out, Contains("there is no checkpoint " + std::to_string(last + 1)));
  const Outcome none = with({"--public-key", system.folder() / "nowhere.pub"});
  CHECK(none.code == 2);
  CHECK_THAT(none.err, Contains("nowhere.pub") && Contains("a copy of the log.pub"));
  CHECK(with({"--since-checkpoint", "x"}).code == 2);

  // Somebody who can write the log and not the state folder.
  std::ofstream(system.runtime() / "logs" / "log.pub")
      << "ed25519 " << std::string(64, '0') << "\n";
  CHECK(with({}).code == 6);
  CHECK(with({"--public-key", copy}).code == 0);
  fs::remove(system.runtime() / "logs" / "log.pub");
  const Outcome unproved = with({});
  CHECK(unproved.code == 6);
  CHECK_THAT(unproved.out, Contains("--public-key"));
  run_clerk(system);  // puts it back
  CHECK(with({}).code == 0);
  // A key that was lost: the log goes on with another, and says so.
  fs::remove(key);
  run_clerk(system);
  CHECK(with({}).code == 0);
  CHECK(with({"--public-key", copy}).code == 6);
  CHECK_THAT(director_log(system), Contains(" warning failed audit log: the key of before"));
  // One that others may read is none.
  fs::permissions(key, fs::perms::owner_read | fs::perms::owner_write | fs::perms::others_read);
  REQUIRE_THROWS_WITH(system.start(), Contains("log.key: must be this user's alone, mode 0600"));
}

TEST_CASE("the log's files are as large, and as many, as the command line says") {
  DirectedSystem system(kShop);
  fs::copy_file(SESSIONCTL, system.folder() / "sessionctl");
  system.write_file("clerk.sh", kClerk);
  for (int run = 0; run < 5; ++run) {
    system.start("run", {"--log-rotate", "1KiB", "--log-budget", "6KiB", "--log-rotate-age", "1d",
                         "--log-checkpoint", "1s", "--log-on-full-disk", "count"});
    REQUIRE(system.wait() == 0);
  }
  std::uint64_t bytes = 0;
  for (const auto& file : fs::directory_iterator(system.runtime() / "logs")) {
    if (file.path().extension() == ".sblog") bytes += file.file_size();
  }
  CHECK(bytes < 12U << 10U);
  const Outcome table = system.ctl({"log", "verify"});
  INFO(table.out);
  CHECK(table.code == 0);
  CHECK_THAT(table.out, Contains("\nbegins with file ") && Contains("the disk budget took 1 to ") &&
                            !Contains("nothing says"));
  const auto report = system.ctl({"log", "verify", "-o", "json"}).json();
  CHECK(report.at("first_number") == report.at("removed_files").get<int>() + 1);
  CHECK(report.at("files") > 1);
}

TEST_CASE("options of the log that cannot be meant start nothing") {
  DirectedSystem system(kShop);
  const std::vector<std::vector<std::string>> wrong = {
      {"--log-rotate", "64"},       {"--log-rotate", "0B"},      {"--log-rotate-age", "0s"},
      {"--log-rotate-age", "1MiB"}, {"--log-budget", "soon"},    {"--log-budget", "1MiB"},
      {"--log-rotate", "3GiB"},     {"--log-checkpoint", "0ms"}, {"--log-on-full-disk", "stop"}};
  for (const auto& words : wrong) {
    INFO(words[0] << " " << words[1]);
    system.start("run", words);
    CHECK(system.wait() == 2);
  }
  CHECK_FALSE(fs::exists(system.runtime() / "logs"));
  CHECK_FALSE(fs::exists(system.runtime() / "state"));
}

TEST_CASE("a killed worker's last acknowledged put is in the log once, and its end is on record") {
  DirectedSystem system(std::string(kShop) + R"(
[block.counts]
kind = "shared"
owner = "suite"
quota = "1MiB"
grants = { writer = "rw" }
[script.writer]
command = ["./worker", ")" +
                        kWorkerCase + R"("]
restart = "never"
paths = { write = ["out"] }
)");
  fs::create_directory(system.folder() / "out");
  fs::copy_file("/proc/self/exe", system.folder() / "worker");
  fs::copy_file(SESSIONCTL, system.folder() / "sessionctl");
  system.write_file("clerk.sh", kClerk);
  system.start();
  const auto acknowledged = [&] {
    std::uint64_t number = 0;
    std::ifstream(system.folder() / "out" / "acknowledged", std::ios::binary)
        .read(reinterpret_cast<char*>(&number), sizeof number);
    return number;
  };
  while (acknowledged() < 5'000) std::this_thread::yield();
  // A listing ends where the log ended when it began, however fast the worker goes on.
  while (json_lines(system, {"--block", "counts", "--op", "put"}).empty()) {
    std::this_thread::yield();  // the drain follows in its own time
  }
  CHECK(system.ctl({"log", "verify"}).code == 0);
  while (director_log(system).find(" denied ") == std::string::npos) std::this_thread::yield();
  const auto workers = system.ctl({"ls", "workers", "-o", "json"}).json().at("workers");
  std::string who;
  for (const auto& worker : workers) {
    if (worker.at("scope") != "shop/writer#1") continue;
    who = "worker " + std::to_string(worker.at("id").get<int>()) + " (shop/writer#1, pid " +
          std::to_string(worker.at("pid").get<int>()) + ")";
  }
  REQUIRE_FALSE(who.empty());
  system.kill_workers();
  // A new director sweeps only when nobody lives, and a clerk that it refused may not be gone yet.
  for (const std::string& awaited : {"recovered " + who, std::string(" ended scope shop/clerk: "),
                                     std::string(" ended scope shop/writer: ")}) {
    while (director_log(system).find(awaited) == std::string::npos) std::this_thread::yield();
  }
  const std::uint64_t last = acknowledged();
  std::uint64_t logged = 0;
  for (const auto& row : json_lines(system, {"--block", "counts", "--op", "put"})) {
    if (row.at("version") != logged + 1) FAIL("version " << row.at("version") << " is not next");
    ++logged;
  }
  INFO("acknowledged " << last << ", logged " << logged);
  CHECK((logged == last || logged == last + 1));  // it may have died between commit and telling
  CHECK(system.ctl({"log", "verify"}).code == 0);

  const std::string log = director_log(system);
  INFO(log);
  CHECK_THAT(log, Contains(" info created block cart (1): shared, owner shop\n"));
  CHECK_THAT(log, Contains(" info attached " + who + "\n"));
  CHECK_THAT(log, Contains(" warning denied ") && Contains("block secret"));
  CHECK_THAT(log, Contains(" warning died " + who + ": its "));
  CHECK_THAT(log, Contains(" info recovered " + who + ": ") && Contains(" in flight had "));

  system.kill_director();
  const fs::path file = system.runtime() / "logs" / "flow-0000000001.sblog";
  std::ofstream(file, std::ios::app | std::ios::binary) << "SLF1 torn";
  CHECK(system.ctl({"log", "verify"}).code == 6);
  system.start();
  CHECK_THAT(director_log(system), Contains(" info recovered audit log: torn tail cut: 9 bytes "));
  CHECK_THAT(director_log(system), Contains(" info destroyed block cart (1): "));
  CHECK(system.ctl({"log", "verify"}).code == 0);
}

TEST_CASE("a folder without a log, and one that may not be read, are named with what to do") {
  DirectedSystem system(kShop);
  const Outcome none = system.ctl({"log"});
  CHECK(none.code == 3);
  CHECK(none.out.empty());
  CHECK_THAT(none.err, Contains("no audit log in ") && Contains("--log-dir"));
  CHECK(system.ctl({"log", "verify"}).code == 3);
  run_clerk(system);
  const fs::path logs = system.runtime() / "logs";
  if (::geteuid() != 0) {
    fs::permissions(logs / "flow-0000000001.sblog", fs::perms::none);
    const Outcome unread = system.ctl({"log"});
    CHECK(unread.code == 5);
    CHECK_THAT(unread.err, Contains("Permission denied") && Contains("read it as the user"));
    return;
  }
  // Root reads everything: somebody else asks, first for the files and then for the folder.
  for (const fs::path& path : {system.runtime(), logs, system.folder(), system.runtime() / ".."}) {
    fs::permissions(path, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  }
  const std::string command = "setpriv --reuid 65534 --regid 65534 --clear-groups " +
                              (system.folder() / "sessionctl").native() + " log verify --log-dir " +
                              logs.native() + " 2>&1; echo $?";
  const std::string of_file = output_of(command);
  CHECK_THAT(of_file, Contains("open " + (logs / "flow-0000000001.sblog").native() +
                               ": Permission denied; read it as the user whose director"));
  CHECK_THAT(of_file, Catch::EndsWith("\n5\n"));
  fs::permissions(logs, fs::perms::owner_all);
  const std::string of_folder = output_of(command);
  CHECK_THAT(of_folder, Contains("list " + logs.native() + ": Permission denied; read it as"));
  CHECK_THAT(of_folder, Catch::EndsWith("\n5\n"));
}

TEST_CASE("a director keeps no logs in a folder that is not its user's alone") {
  DirectedSystem system(kShop);
  const fs::path logs = system.runtime() / "logs";
  fs::create_directories(logs);
  fs::permissions(system.runtime(), fs::perms::owner_all);
  fs::permissions(logs, fs::perms::all);
  REQUIRE_THROWS_WITH(system.start(), Contains(logs.native() + " may be written by others") &&
                                          Contains("name another folder, or keep no logs"));
  CHECK_FALSE(fs::exists(logs / "director.log"));
  CHECK(system.segments().empty());
}

TEST_CASE("a full disk keeps no director and no script waiting, and nothing is lost") {
  const std::string self = fs::read_symlink("/proc/self/exe");
  const std::string flags = ::geteuid() == 0 ? "" : "--user --map-root-user ";
  if (std::system(("unshare " + flags + "--mount true 2>/dev/null").c_str()) != 0) {
    WARN("skipped: no mount namespaces here");
    return;
  }
  const std::string said = output_of("unshare " + flags + "--mount '" + self +
                                     "' 'inside a mount namespace: a full disk' 2>&1; echo $?");
  INFO(said);
  CHECK_THAT(said, Catch::EndsWith("\n0\n"));
}

TEST_CASE("inside a mount namespace: a full disk", "[.]") {
  DirectedSystem system(kShop);
  fs::copy_file(SESSIONCTL, system.folder() / "sessionctl");
  system.write_file("clerk.sh", kClerk + std::string("sleep 1000\n"));
  const fs::path logs = system.runtime() / "logs";
  fs::create_directories(logs);
  fs::permissions(system.runtime(), fs::perms::owner_all);
  REQUIRE(::mount("none", logs.c_str(), "tmpfs", 0, "size=1m,mode=0700") == 0);
  const std::uint64_t room = GENERATE(0U, 16U << 10U);
  const std::string filler(((1U << 20U) - room), 'x');
  std::ofstream(logs / "filler", std::ios::binary) << filler;
  // A state folder without room for a key, too.
  const bool has_key = GENERATE(true, false);
  if (!has_key) {
    const fs::path state = system.runtime() / "state";
    fs::create_directories(state);
    REQUIRE(::mount("none", state.c_str(), "tmpfs", 0, "size=1m,mode=0700") == 0);
    std::ofstream(state / "filler", std::ios::binary) << std::string(1U << 20U, 'x');
  }
  system.start();
  CHECK(fs::exists(system.runtime() / "state" / "log.key") == has_key);
  constexpr int kPuts = 60;
  for (int i = 0; i < kPuts; ++i) {
    const std::string key = "k" + std::to_string(i) + std::string(500, 'k');
    const Outcome put = system.ctl({"put", "cart", key, "v"});
    INFO(put.err);
    REQUIRE(put.code == 0);
  }
  CHECK(system.ctl({"ls"}).code == 0);
  while (fs::space(logs).available > 0) std::this_thread::yield();  // the drain follows in its time
  fs::remove(logs / "filler");
  while (director_log(system).find("takes records again") == std::string::npos) {
    std::this_thread::yield();
  }
  CHECK_THAT(director_log(system), Contains("No space left on device; nothing was lost"));
  while (system.ctl({"log", "verify"}).code != 0) std::this_thread::yield();
  std::size_t puts = 0;
  while (puts < kPuts) puts = json_lines(system, {"--op", "put", "--prefix", "k"}).size();
  CHECK(puts == kPuts);
  const auto report = system.ctl({"log", "verify", "-o", "json"}).json();
  CHECK(report.at("missing_cells") == 0);
  CHECK((report.at("checkpoints").at("count") != 0) == has_key);
}

TEST_CASE("a worker that puts until it is killed", "[.]") {
  ::alarm(sessionctl_test::kWatchdogSeconds);
  ::signal(SIGTERM, SIG_DFL);  // its end is no finding of Catch
  const int file = ::open("out/acknowledged", O_RDWR | O_CREAT, 0600);
  REQUIRE(::ftruncate(file, 8) == 0);
  void* const memory = ::mmap(nullptr, 8, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  REQUIRE(memory != MAP_FAILED);
  auto& acknowledged = *static_cast<std::atomic<std::uint64_t>*>(memory);
  auto session = sessionblocks::Session::attach();
  REQUIRE(session);
  auto counts = session->open("counts");
  REQUIRE(counts);
  for (std::int64_t i = 1;; ++i) {
    const auto version = counts->put("count", i);
    if (!version) ::_exit(1);
    acknowledged.store(static_cast<std::uint64_t>(i), std::memory_order_release);
    // Pacing, or a slow machine's reader has millions of rows to show by the time of the kill.
    if (i % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}
