// Core dumps: what is mapped of a session system is in none, in workers and in the director.
#include <fstream>
#include <map>

#include "leak_scene.hpp"

namespace sessionblocks::flowguard {
namespace {

using namespace testing;

// Of each mapping of a segment: its name, and the flags that the kernel keeps for it.
std::multimap<std::string, std::string> flags_of_segments() {
  std::multimap<std::string, std::string> flags;
  std::ifstream maps("/proc/self/smaps");
  std::string name;
  for (std::string line; std::getline(maps, line);) {
    const auto at = line.find("/sessionblocks.");
    if (at != std::string::npos) name = line.substr(at);
    if (!line.starts_with("VmFlags:")) continue;
    if (!name.empty()) flags.emplace(std::exchange(name, {}), line);
  }
  return flags;
}

TEST_CASE("no mapping of a segment is in a core dump, the worker's and the director's alike") {
  LeakScene scene;
  scene.create("vault", {{"till", Rights::read_write}}, {"token:*"});
  Session till = scene.attach("till");
  Block vault = open(till, "vault");
  REQUIRE(vault.put("token:1", kSecret));
  REQUIRE(vault.get<std::string>("token:1")->value == kSecret);
  static_cast<void>(scene.passes());
  const auto flags = flags_of_segments();
  std::size_t of_blocks = 0;
  for (const auto& [name, words] : flags) {
    CAPTURE(name, words);
    CHECK((words + " ").find(" dd ") != std::string::npos);
    of_blocks += name.find(".block.") != std::string::npos ? 1U : 0U;
  }
  CHECK(of_blocks >= 2);     // both ends of it, in this one process
  CHECK(flags.size() >= 6);  // control, worker, readers too
}

}  // namespace
}  // namespace sessionblocks::flowguard
