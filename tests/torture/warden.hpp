// The warden: a small process that starts the workers, stops and kills them at random, and starts
// others in their place. It has one thread, so a fork of it is a sound process; it knows nothing of
// the store. Only its own children get signals, and through their pidfds.
#pragma once

#include "board.hpp"

namespace sessionblocks::torture {

// Runs until board.stop and all workers have ended. Nothing outlives it, however it ends.
void run_warden(Board& board);

}  // namespace sessionblocks::torture
