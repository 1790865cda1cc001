#include "access_log.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>

#include "output_of.hpp"
#include "temporary_folder.hpp"

namespace {

const std::string kWhole =
    R"(10.0.0.7 - - [17/May/2015:10:05:03 +0000] "GET /a/b?q=1 HTTP/1.1" 200 512 "-" "agent")";

std::string replaced(std::string_view from, std::string_view to) {
  std::string line = kWhole;
  return line.replace(line.find(from), from.size(), to);
}

bool is_malformed(const std::string& line) {
  return !demo::parse_access_line(line).has_value();
}

}  // namespace

TEST_CASE("a whole line gives client, time, page, status and bytes") {
  const auto line = demo::parse_access_line(kWhole);
  REQUIRE(line);
  CHECK(line->client == "10.0.0.7");
  CHECK(line->page == "/a/b");
  CHECK(line->time_s == 1'431'857'103);
  CHECK(line->status == 200);
  CHECK(line->bytes == 512);
}

TEST_CASE("a carriage return at the end is not part of the line") {
  CHECK(demo::parse_access_line(kWhole + "\r"));
  CHECK(is_malformed(kWhole + "\r\r"));
}

TEST_CASE("a line cut anywhere is malformed") {
  for (std::size_t length = 0; length < kWhole.size(); ++length) {
    INFO(kWhole.substr(0, length));
    CHECK(is_malformed(kWhole.substr(0, length)));
  }
}

TEST_CASE("the zone moves the time") {
  CHECK(demo::parse_access_line(replaced("+0000", "+0130"))->time_s == 1'431'857'103 - 5'400);
  CHECK(demo::parse_access_line(replaced("+0000", "-0800"))->time_s == 1'431'857'103 + 28'800);
}

TEST_CASE("a time that no calendar has is malformed") {
  CHECK(demo::parse_access_line(replaced("17/May/2015", "29/Feb/2016")));
  CHECK(is_malformed(replaced("17/May/2015", "29/Feb/2015")));
  CHECK(is_malformed(replaced("17/May", "00/May")));
  CHECK(is_malformed(replaced("May", "Mai")));
  CHECK(is_malformed(replaced("10:05:03", "24:05:03")));
  CHECK(is_malformed(replaced("10:05:03", "10:60:03")));
  CHECK(is_malformed(replaced("10:05:03", "10:05:60")));
  CHECK(is_malformed(replaced("+0000", " 0000")));
}

TEST_CASE("replies without a size count 0 bytes") {
  CHECK(demo::parse_access_line(replaced("512", "-"))->bytes == 0);
  CHECK(is_malformed(replaced("512", "")));
  CHECK(is_malformed(replaced("512", "-1")));
  CHECK(is_malformed(replaced("512", "1234567890123")));
}

TEST_CASE("quotes in a field are escaped by a backslash") {
  CHECK(demo::parse_access_line(replaced("agent", R"(\"a\" \\)")));
  CHECK(is_malformed(replaced("agent", R"(a"b)")));
  CHECK(is_malformed(replaced("agent", R"(agent\)")));
  CHECK(demo::parse_access_line(replaced("/a/b", R"(/\"x)"))->page == R"(/\"x)");
}

TEST_CASE("a request needs a method and a target") {
  CHECK(demo::parse_access_line(replaced(" HTTP/1.1", ""))->page == "/a/b");
  CHECK(demo::parse_access_line(replaced("/a/b", ""))->page.empty());
  CHECK(is_malformed(replaced("GET /a/b?q=1 HTTP/1.1", "-")));
  CHECK(is_malformed(replaced("GET /a/b?q=1 HTTP/1.1", R"(\x16\x03\x01)")));
  CHECK(is_malformed(replaced("GET", "G=T")));
  CHECK(is_malformed(replaced("/a/b", "/a /b")));
  CHECK(is_malformed(replaced("HTTP/1.1", "HTTP/")));
}

TEST_CASE("a client is at most 255 bytes, so that it always fits a key") {
  CHECK(demo::parse_access_line(replaced("10.0.0.7", std::string(255, 'x'))));
  CHECK(is_malformed(replaced("10.0.0.7", std::string(256, 'x'))));
}

TEST_CASE("lines are cut at newlines and the last one may lack it") {
  std::string_view text = "a\n\nb";
  CHECK(demo::take_line(text) == "a");
  CHECK(demo::take_line(text).empty());
  CHECK(demo::take_line(text) == "b");
  CHECK(text.empty());
}

namespace {

std::string mutated(std::mt19937& random) {
  static const std::string kBytes = "\" \\[]/-:+0129aH?\r\x80";
  std::string line = kWhole;
  const auto below = [&random](std::size_t limit) { return random() % limit; };
  for (std::size_t edit = below(3) + 1; edit > 0; --edit) {
    const std::size_t at = below(line.size());
    switch (below(4)) {
      case 0:
        line[at] = kBytes[below(kBytes.size())];
        break;
      case 1:
        line.insert(at, 1, kBytes[below(kBytes.size())]);
        break;
      case 2:
        line.erase(at, 1);
        break;
      default:
        line.insert(at, line.substr(below(line.size()), below(12)));
        break;
    }
  }
  return line;
}

}  // namespace

// The two readers were written apart from each other: one walks a cursor, the other splits fields.
TEST_CASE("the parser and the reference judge damaged lines alike") {
  std::mt19937 random(7);
  const TemporaryFolder folder;
  for (int round = 0; round < 200; ++round) {
    const std::string path = folder.path() / "lines";
    std::ofstream file(path, std::ios::binary);
    std::uint64_t requests = 0;
    std::uint64_t bytes = 0;
    std::map<std::string, std::uint64_t> status;
    std::string lines;
    for (int count = 0; count < 200; ++count) lines += mutated(random) + '\n';
    file << lines;
    file.close();
    std::string_view text = lines;
    while (!text.empty()) {
      const auto line = demo::parse_access_line(demo::take_line(text));
      if (!line) continue;
      ++requests;
      bytes += line->bytes;
      ++status[std::to_string(line->status / 100) + "xx"];
    }
    const auto report = nlohmann::json::parse(output_of(DEMO_REFERENCE " " + path));
    INFO(lines);
    REQUIRE(report["requests"] == requests);
    REQUIRE(report["bytes"] == bytes);
    REQUIRE(report["status"] == nlohmann::json(status));
  }
}
