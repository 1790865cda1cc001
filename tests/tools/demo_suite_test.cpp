#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "director/suite_file.hpp"
#include "temporary_folder.hpp"

namespace fs = std::filesystem;

TEST_CASE("the demo's suite is sound in the folder that its driver makes") {
  const TemporaryFolder folder;
  fs::copy_file(DEMO_SUITE, folder.path() / "web-sessions.toml");
  fs::create_directory(folder.path() / "out");
  std::ofstream(folder.path() / "web-sessions-worker") << "#!/bin/sh\n";
  fs::permissions(folder.path() / "web-sessions-worker", fs::perms::owner_all);
  fs::create_symlink(DEMO_SUITE, folder.path() / "input.log");
  const auto suite = sessionblocks::director::open_suite(folder.path() / "web-sessions.toml", {});
  if (!suite) {
    for (const auto& problem : suite.error()) UNSCOPED_INFO(problem.text());
  }
  REQUIRE(suite);
  CHECK(suite->name == "web-sessions");
}
