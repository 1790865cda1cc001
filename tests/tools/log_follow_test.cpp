// sessionctl log --follow, beside directors at work and over logs that the test writes itself.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <thread>

#include "flowlog/file_scanner.hpp"
#include "flowlog/log_file.hpp"
#include "sessionctl_fixture.hpp"

namespace fs = std::filesystem;
namespace flowlog = sessionblocks::flowlog;
using Catch::Contains;
using sessionctl_test::DirectedSystem;

namespace {

constexpr const char* kShop = R"(schema = 1
[suite]
name = "shop"
[block.cart]
kind = "shared"
owner = "suite"
quota = "1MiB"
[script.keeper]
command = ["/bin/sleep", "1000"]
)";

// A sessionctl under way; its lines are read as they come.
class Child {
 public:
  explicit Child(std::vector<std::string> words) {
    ::alarm(sessionctl_test::kWatchdogSeconds);
    words.insert(words.begin(), SESSIONCTL);
    std::array<int, 2> out{};
    std::array<int, 2> err{};
    if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0) {
      throw std::runtime_error("no pipe");
    }
    pid_ = ::fork();
    if (pid_ == 0) {
      ::alarm(sessionctl_test::kWatchdogSeconds);
      ::signal(SIGTERM, SIG_DFL);  // Catch has its own
      ::dup2(out[1], 1);
      ::dup2(err[1], 2);
      std::vector<char*> arguments;
      for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
      arguments.push_back(nullptr);
      ::execv(SESSIONCTL, arguments.data());
      ::_exit(126);
    }
    ::close(out[1]);
    ::close(err[1]);
    out_ = out[0];
    err_ = err[0];
  }
  ~Child() {
    if (pid_ != 0) end(SIGKILL);
    if (out_ >= 0) ::close(out_);
    ::close(err_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Waits for it; empty: the output is at its end.
  std::string line() { return line_of(out_, text_); }
  std::string message() { return line_of(err_, messages_); }
  [[nodiscard]] bool has_line() {
    pollfd ready{.fd = out_, .events = POLLIN, .revents = 0};
    return text_.find('\n') != std::string::npos || ::poll(&ready, 1, 0) > 0;
  }
  std::string rest() {
    while (more(out_, text_)) {
    }
    return std::exchange(text_, {});
  }
  std::string some() {
    more(out_, text_);
    return std::exchange(text_, {});
  }
  // SIGSTOP, and waits until it has stopped.
  [[nodiscard]] bool stop() const {
    int status = 0;
    ::kill(pid_, SIGSTOP);
    return ::waitpid(pid_, &status, WUNTRACED) == pid_ && WIFSTOPPED(status);
  }
  void go_on() const { ::kill(pid_, SIGCONT); }
  void close_output() { ::close(std::exchange(out_, -1)); }
  // Its exit code, or 128 + signal.
  int end(int signal = 0) {
    if (signal != 0) ::kill(pid_, signal);
    int status = 0;
    if (::waitpid(std::exchange(pid_, 0), &status, 0) < 0) throw std::runtime_error("cannot wait");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  static bool more(int from, std::string& text) {
    std::array<char, 4'096> buffer{};
    const ssize_t length = ::read(from, buffer.data(), buffer.size());
    if (length > 0) text.append(buffer.data(), static_cast<std::size_t>(length));
    return length > 0;
  }
  static std::string line_of(int from, std::string& text) {
    while (text.find('\n') == std::string::npos) {
      if (!more(from, text)) return std::exchange(text, {});
    }
    const std::size_t end = text.find('\n');
    const std::string line = text.substr(0, end);
    text.erase(0, end + 1);
    return line;
  }

  pid_t pid_ = 0;
  int out_ = -1;
  int err_ = -1;
  std::string text_;
  std::string messages_;
};

std::vector<std::string> follow(const DirectedSystem& system, std::vector<std::string> more) {
  more.insert(more.begin(), {"--system", system.name(), "--runtime-dir", system.runtime().native(),
                             "log", "--follow"});
  return more;
}

// A log that the test writes: one worker, a file for each batch.
class OwnLog {
 public:
  explicit OwnLog(const fs::path& folder) : folder_(folder) {
    flowlog::LogConfig config;
    config.folder = folder.native();
    config.system = "test";
    config.rotate_bytes = 1;
    auto log = flowlog::LogFile::open(config);
    REQUIRE(log);
    log_.emplace(std::move(*log));
    flowlog::Note note;
    note.kind = flowlog::NoteKind::worker_added;
    note.worker = 3;
    note.text = "shop/checkout#1";
    log_->add_note(note);
  }
  void put(std::uint64_t version) {
    sessionblocks::RingCell cell{};
    cell.op = static_cast<std::uint8_t>(sessionblocks::Op::put);
    cell.version = version;
    cell.value_bytes = 8;
    cell.count = 1;
    const auto block = flowlog::BlockRef::make(sessionblocks::BlockId{7}, {});
    log_->add_records({{3, 0}, next_++, 1'000, std::span(&cell, 1)},
                      [&](std::uint16_t) { return block; });
    REQUIRE(log_->commit());
  }
  void rotate() { log_->rotate_if_due(0); }
  void remove_file(std::uint64_t number) const {
    REQUIRE(fs::remove(folder_ / flowlog::log_file_name(number)));
  }

 private:
  fs::path folder_;
  std::optional<flowlog::LogFile> log_;
  std::uint64_t next_ = 0;
};

int version_in(const std::string& line) {
  INFO(line);
  REQUIRE_FALSE(line.empty());
  return nlohmann::json::parse(line).at("version").get<int>();
}

}  // namespace

TEST_CASE("a follower shows what workers do from now on, each line when it is drained") {
  DirectedSystem system(kShop);
  system.start();
  REQUIRE(system.ctl({"put", "cart", "live:before", "v"}).code == 0);
  while (system.ctl({"log", "key=live:before"}).out.find("live:before") == std::string::npos) {
    std::this_thread::yield();  // the drain follows in its own time
  }
  Child child(follow(system, {"-o", "json", "op=put && key~\"live:*\""}));
  for (int i = 0; !child.has_line(); ++i) {
    REQUIRE(system.ctl({"put", "cart", "live:" + std::to_string(i), "v"}).code == 0);
    REQUIRE(system.ctl({"put", "cart", "other", "v"}).code == 0);
  }
  CHECK_THAT(nlohmann::json::parse(child.line()).at("key").get<std::string>(),
             Catch::StartsWith("live:") && !Contains("before"));
  REQUIRE(system.ctl({"put", "cart", "live:last", "value"}).code == 0);
  nlohmann::json row = nlohmann::json::object();
  while (row.value("key", "") != "live:last") {
    row = nlohmann::json::parse(child.line());
    CHECK_THAT(row.at("key").get<std::string>(), Catch::StartsWith("live:"));
  }
  CHECK(row.at("size") == 5);
  // It goes on from one director's log to the next one's.
  REQUIRE(system.stop_director() == 0);
  system.start();
  REQUIRE(system.ctl({"put", "cart", "live:again", "v"}).code == 0);
  CHECK(nlohmann::json::parse(child.line()).at("key") == "live:again");
  CHECK(child.end(SIGTERM) == 0);
  CHECK(child.rest().empty());
}

TEST_CASE("a follower of a log that is not there waits for it, and goes on over its files") {
  const TemporaryFolder folder;
  const fs::path logs = folder.path() / "logs";
  Child child({"log", "--follow", "-o", "json", "--log-dir", logs.native(), "op=put"});
  CHECK(child.message() ==
        "sessionctl: no audit log in " + logs.native() + " yet; waiting for one");
  OwnLog log(logs);
  for (int version = 1; version < 6; ++version) {
    log.put(static_cast<std::uint64_t>(version));
    CHECK(version_in(child.line()) == version);
    log.rotate();
  }
  CHECK(child.end(SIGINT) == 0);
}

TEST_CASE("a follower says how much was removed before it came to it") {
  const TemporaryFolder folder;
  const fs::path logs = folder.path() / "logs";
  OwnLog log(logs);
  log.put(1);
  Child child({"log", "--follow", "--since", "2000-01-01", "-o", "json", "--log-dir", logs.native(),
               "op=put"});
  CHECK(version_in(child.line()) == 1);
  // Stopped, so that it cannot read them before they go.
  REQUIRE(child.stop());
  for (std::uint64_t file = 2; file < 6; ++file) {
    log.rotate();
    log.put(file);
  }
  for (std::uint64_t file = 1; file < 5; ++file) log.remove_file(file);
  child.go_on();
  const auto gap = nlohmann::json::parse(child.line());
  INFO(gap.dump());
  CHECK(gap.at("missing_files") == 3);
  CHECK(gap.at("missing_at_least") == 3);
  CHECK(version_in(child.line()) == 5);
  CHECK(child.end(SIGTERM) == 0);
}

TEST_CASE("a trace that was followed is a JSON document when its time has passed or it is ended") {
  const TemporaryFolder folder;
  const fs::path logs = folder.path() / "logs";
  OwnLog log(logs);
  log.put(1);
  const bool is_timed = GENERATE(true, false);
  std::vector<std::string> words = {"log", "--follow", "--since",   "2000-01-01",
                                    "-o",  "trace",    "--log-dir", logs.native()};
  if (is_timed) words.insert(words.end(), {"--duration", "2s"});
  Child child(words);
  std::string text;
  while (text.find("\"op\":\"put\"") == std::string::npos) {
    text += child.some();
  }
  CHECK(child.end(is_timed ? 0 : SIGINT) == 0);
  text += child.rest();
  const auto trace = nlohmann::json::parse(text);
  CHECK(trace.back().at("name") == "put");
  CHECK(trace.back().at("args").at("scope") == "shop/checkout#1");
}

TEST_CASE("a follower ends when nobody reads it any more, with and without something to say") {
  const TemporaryFolder folder;
  const fs::path logs = folder.path() / "logs";
  OwnLog log(logs);
  Child child({"log", "--follow", "--log-dir", logs.native()});
  CHECK_THAT(child.line(), Catch::StartsWith("TIME (UTC)"));
  child.close_output();
  if (GENERATE(true, false)) log.put(1);
  CHECK(child.end() == 128 + SIGPIPE);
}
