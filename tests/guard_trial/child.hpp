// A worker in a process of its own that takes its steps from the run, so that one waits for the
// other: what it has done at a time does not depend on the machine. And programs that are waited
// for. Each is ended, by its own pidfd, with its object.
#pragma once

#include <string>
#include <vector>

#include "platform/spawn.hpp"
#include "platform/unique_fd.hpp"
#include "system.hpp"

namespace sessionblocks::guard_trial {

// What a child is told, a byte each. It answers each with one byte, the last three from inside.
enum class Order : char {
  work = 'w',   // as usual
  visit = 'v',  // for ever
  write = 'p',  // for ever; only a build with crash points can
};
// The child's end: `guard_trial --worker`. Returns its exit code.
int run_child();
// Whether a write can be held under way.
[[nodiscard]] bool can_hold_a_write() noexcept;

class ChildWorker {
 public:
  ChildWorker(System& system, const std::string& script);
  ~ChildWorker();
  ChildWorker(const ChildWorker&) = delete;
  ChildWorker& operator=(const ChildWorker&) = delete;

  void order(Order what);
  void signal(int number);
  void kill_and_reap();  // SIGKILL
  [[nodiscard]] std::uint32_t worker_id() const { return worker_; }
  // Of the block that it made, as findings name it.
  [[nodiscard]] const std::string& block_text() const { return block_text_; }

 private:
  platform::Child child_;
  platform::UniqueFd to_;
  platform::UniqueFd from_;
  std::uint32_t worker_ = 0;
  std::string block_text_;
};

// The path of this program.
[[nodiscard]] std::string own_path();

}  // namespace sessionblocks::guard_trial
