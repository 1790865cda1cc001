// The first benchmark: what one operation of this store costs a worker.
#pragma once

namespace sessionblocks::bench {

int run_local(int argc, char** argv);
// A process that repeats `operation` on `block` until its standard input ends.
int run_neighbour(const char* block, const char* operation);
// `operation`, `count` times on one key, for an instruction counter.
int run_repeat(const char* operation, const char* count);

}  // namespace sessionblocks::bench
