// sessionbench peers [--quick] [--json FILE] ...     this store and what could be used instead
// sessionbench local [Google Benchmark's options]   this machine, this store
// sessionbench repeat OPERATION COUNT                under an instruction counter (callgrind)
// sessionbench growth KEYS                           single puts while the index grows
// sessionbench enforce [--quick] [--json FILE] ...   until a seal or a fork holds
// sessionbench neighbour ...                         started by `local`: the second process
#include "local.hpp"
#include "peers/peers.hpp"

#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  using namespace sessionblocks::bench;
  if (argc >= 2 && std::strcmp(argv[1], "peers") == 0) return run_peers(argc - 1, argv + 1);
  if (argc >= 2 && std::strcmp(argv[1], "local") == 0) return run_local(argc - 1, argv + 1);
  if (argc == 4 && std::strcmp(argv[1], "repeat") == 0) return run_repeat(argv[2], argv[3]);
  if (argc == 3 && std::strcmp(argv[1], "growth") == 0) return run_growth(argv[2]);
  if (argc >= 2 && std::strcmp(argv[1], "enforce") == 0) return run_enforce(argc - 1, argv + 1);
  if (argc == 3 && std::strcmp(argv[1], "enforce-writer") == 0) return run_enforce_writer(argv[2]);
  if (argc == 4 && std::strcmp(argv[1], "neighbour") == 0) return run_neighbour(argv[2], argv[3]);
  std::fputs(
      "usage: sessionbench peers [--quick] [--json FILE] [--list] [--help] ...\n"
      "the same work against this store, LMDB, SQLite, memcached, Redis and others.\n"
      "usage: sessionbench local [--benchmark_filter=REGEX] [--benchmark_format=json] ...\n"
      "get_into, put and increment, on one hot key and over 100,000 random ones, with the audit\n"
      "full and counted, alone and beside a second process that does the same.\n"
      "usage: sessionbench repeat get|put|increment COUNT\n"
      "one operation on one hot key, to count its instructions: run it twice under\n"
      "`valgrind --tool=callgrind`, with two counts, and divide the difference.\n"
      "usage: sessionbench growth KEYS\n"
      "how long single puts take while the index grows, beside the same puts into one at rest.\n"
      "usage: sessionbench enforce [--quick] [--mib N...] [--json FILE] [--help] ...\n"
      "how long until seal, quarantine, wipe and fork are done, beside a bare copy.\n",
      stderr);
  return 2;
}
