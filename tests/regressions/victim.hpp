// A worker that stops for good at the n-th crash point of one operation, or inside a read.
#pragma once

#include "../stage/stage.hpp"

namespace sessionblocks::regressions {

using stage::Link;
using stage::Process;
using stage::Stage;

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

// Attaches, opens `block`, and runs `act`. It says "there" at the n-th crash point that `act`
// passes, from 0, and stays there; "done" when `act` passes fewer.
[[nodiscard]] Process victim(Stage& stage, const std::string& block, unsigned n,
                             const std::function<void(Block&)>& act);

// Attaches and reads `keys`, each in a thread of its own; says "there" once all threads are inside
// their reads, with the bytes before them, and stays there.
[[nodiscard]] Process readers(Stage& stage, const std::string& block,
                              const std::vector<std::string>& keys);

// SIGKILL; returns once it is a zombie no more.
void kill(Process& process);

}  // namespace sessionblocks::regressions
