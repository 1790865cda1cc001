// sessionbench repeat OPERATION COUNT: one operation, COUNT times, on one hot key and nothing else,
// for an instruction counter. What starting costs falls out as the difference of two counts.
#include "embedded_block.hpp"
#include "local.hpp"

#include <cstdlib>

namespace sessionblocks::bench {

int run_repeat(const char* operation, const char* count) {
  char* end = nullptr;
  const std::uint64_t repeats = std::strtoull(count, &end, 10);
  const std::string_view name = operation;
  if (*end != '\0' || (name != "get" && name != "put" && name != "increment")) {
    std::fputs("sessionbench: repeat get|put|increment COUNT\n", stderr);
    return 2;
  }
  EmbeddedBlock place(16ULL << 20U);
  Workload workload(place.session(), place.block(), name, "key", 1);
  for (std::uint64_t i = 0; i < repeats; ++i) workload.run_once();
  return 0;
}

}  // namespace sessionblocks::bench
