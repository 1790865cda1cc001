// The first benchmark: what one operation of this store costs a worker.
#pragma once

namespace sessionblocks::bench {

int run_local(int argc, char** argv);
// A process that repeats `operation` on `block` until its standard input ends.
int run_neighbour(const char* block, const char* operation);
// `operation`, `count` times on one key, for an instruction counter.
int run_repeat(const char* operation, const char* count);
// How long single puts take while `keys` new ones make the index grow.
int run_growth(const char* keys);
// How long until a request about a whole block holds against every process.
int run_enforce(int argc, char** argv);
// Its writers, processes of their own.
int run_enforce_writer(const char* number);

}  // namespace sessionblocks::bench
