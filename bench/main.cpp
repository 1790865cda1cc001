// sessionbench local [Google Benchmark's options]   this machine, this store
// sessionbench repeat OPERATION COUNT                under an instruction counter (callgrind)
// sessionbench neighbour ...                         started by `local`: the second process
#include "local.hpp"

#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  using namespace sessionblocks::bench;
  if (argc >= 2 && std::strcmp(argv[1], "local") == 0) return run_local(argc - 1, argv + 1);
  if (argc == 4 && std::strcmp(argv[1], "repeat") == 0) return run_repeat(argv[2], argv[3]);
  if (argc == 4 && std::strcmp(argv[1], "neighbour") == 0) return run_neighbour(argv[2], argv[3]);
  std::fputs(
      "usage: sessionbench local [--benchmark_filter=REGEX] [--benchmark_format=json] ...\n"
      "get_into, put and increment, on one hot key and over 100,000 random ones, with the audit\n"
      "full and counted, alone and beside a second process that does the same.\n"
      "usage: sessionbench repeat get|put|increment COUNT\n"
      "one operation on one hot key, to count its instructions: run it twice under\n"
      "`valgrind --tool=callgrind`, with two counts, and divide the difference.\n",
      stderr);
  return 2;
}
