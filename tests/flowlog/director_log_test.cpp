#include "flowlog/director_log.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

TEST_CASE("an event is one line, whatever is in its names") {
  testing::TemporaryFolder folder;
  DirectorLogConfig config;
  config.file = folder.path() + "/director.log";
  config.to_stderr = false;
  {
    auto log = DirectorLog::open(config);
    REQUIRE(log);
    (*log)->add(DirectorLog::Level::info, "created", "block cart", "64 MiB");
    (*log)->add(DirectorLog::Level::warning, "denied", "a\nfaked line", "{} \x1b[2J");
  }
  std::ifstream in(config.file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].find(" info created block cart: 64 MiB") != std::string::npos);
  CHECK(lines[1].find(R"( warning denied a\x0afaked line: {} \x1b[2J)") != std::string::npos);
  struct stat info {};
  REQUIRE(::stat(config.file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == 0600U);
}

TEST_CASE("a folder that is not there is an error") {
  DirectorLogConfig config;
  config.file = "/nowhere/at/all/director.log";
  CHECK_FALSE(DirectorLog::open(config));
}

}  // namespace
}  // namespace sessionblocks::flowlog
