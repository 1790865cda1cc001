// Shared by the suite tests: texts with a marked place, and a machine that is the same everywhere.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "director/suite_file.hpp"

namespace suite_tests {

namespace fs = std::filesystem;
using namespace sessionblocks::director;

inline const std::string kHead = "schema = 1\n[suite]\nname = \"shop\"\n";

// A script that can run anywhere, for suites whose problem is elsewhere.
inline std::string script(const std::string& name, const std::string& more = "") {
  return "[script." + name + "]\ncommand = [\"sh\"]\n" + more;
}

inline Machine machine() {
  Machine out;
  out.shm_bytes = std::uint64_t{1} << 30U;
  out.min_quota_bytes = 65'536;
  out.protected_folders = {{"/run/sessionblocks/default", "runtime folder"}};
  out.user_exists = [](const std::string& name) { return name == "shop"; };
  return out;
}

// All problems of a text, of reading and of checking.
inline std::vector<Diagnostic> problems_of(const std::string& text, const Machine& on = machine(),
                                           const std::string& file = "/suite/shop.toml") {
  auto reading = read_suite(text, file);
  auto out = reading.problems;
  if (reading.readable) {
    for (auto& problem : check_suite(reading.suite, on)) out.push_back(problem);
  }
  sort_by_place(out);
  return out;
}

// Takes the '@'s out of a text and tells their places.
inline std::vector<SourceLocation> take_marks(std::string& text) {
  std::vector<SourceLocation> places;
  std::string plain;
  SourceLocation at{1, 1};
  for (const char c : text) {
    if (c == '@') {
      places.push_back(at);
      continue;
    }
    plain += c;
    ++at.column;
    if (c == '\n') at = {at.line + 1, 1};
  }
  text = plain;
  return places;
}

struct Case {
  std::string text;     // '@' stands before each place that must be named
  std::string message;  // a part of each message
};

// Exactly one problem for each '@', exactly there.
inline void expect(const Case& fact, const Machine& on = machine()) {
  std::string text = fact.text;
  const auto places = take_marks(text);
  const auto problems = problems_of(text, on);
  CAPTURE(text, fact.message);
  for (const auto& problem : problems) UNSCOPED_INFO(problem.text());
  REQUIRE(problems.size() == places.size());
  for (std::size_t i = 0; i < places.size(); ++i) {
    CHECK(problems[i].file == "/suite/shop.toml");
    CHECK(problems[i].line == places[i].line);
    CHECK(problems[i].column == places[i].column);
    CHECK(problems[i].message.find(fact.message) != std::string::npos);
  }
}

// A folder that is gone at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "suite-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = fs::canonical(name);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const fs::path& path() const { return path_; }
  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path_ / name;
  }

 private:
  fs::path path_;
};

// Every key that a suite file knows.
inline const std::string kFullSuite = R"(schema = 1
[suite]
name = "shop"
memory = "1GiB"

[director]
ring_records = 65536

[block.defaults]
owner = "suite"
kind = "private"
quota = "1MiB"

[block.cart]
kind = "shared"
owner = "suite"
quota = "64MiB"
lifespan = "30m"
idle = "5m"
audit = "writes"
on_full_ring = "fail"
enforce = "swap"
at_end = "heir"
at_limit = "evict-lru"
log_values = true
heir = "script.report"
grants = { checkout = "rw", report = "r" }
permit = ["share", "fork", "persist", "elevate"]

[block.settings]
kind = "inherited"
from = "defaults"
heirs = { checkout = "r" }

[block.draft]
kind = "forked"
from = "cart"
owner = "flow.charge"
lifespan = "scope"
sensitive = ["token:*"]

[script.report]
command = ["sh", "-c", "true"]

[script.checkout]
command = ["./checkout-worker", "--fast"]
workers = 4
parent = "shop"
user = "shop"
paths = { read = ["data/"], write = ["out", "/var/tmp/x/../shop"] }
may_create = ["cart-*"]
timeout = "10m"
memory = "128MiB"
restart = "always"
budget = { count = 7, within = "90s" }
shm = "deny"
env = { MODE = "fast" }
cwd = "work"

[script.mail]
command = ["sh"]
parent = "checkout"
start = "on-request"

[guard.write-burst]
when = "block.writes_per_s > 100000"
action = "quarantine"
priority = -3
for = "2s"
)";

}  // namespace suite_tests
