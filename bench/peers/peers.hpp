// sessionbench peers: the same work against this store and what could be used instead.
#pragma once

namespace sessionblocks::bench {

// 0: every case was measured. 1: some failed. 2: the command line is wrong. 130: interrupted.
int run_peers(int argc, char** argv);

}  // namespace sessionblocks::bench
