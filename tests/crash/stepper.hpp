// A forked child that runs one function instruction by instruction.
//
// The child inherits the private state of this process as it is at the fork, and shares the
// segments. It dies with its parent. Everything here works on the one pid that it started.
#pragma once

#include <sys/types.h>
#include <cstdint>
#include <functional>
#include <utility>

namespace sessionblocks::crash {

// Instructions from one clone to the next where a test clones at every instruction. Under the
// address sanitizer a clone maps its shadow memory too, and costs a hundred times as much.
#ifdef __SANITIZE_ADDRESS__
inline constexpr std::uint64_t kEachInstruction = 41;
#else
inline constexpr std::uint64_t kEachInstruction = 1;
#endif

class Stepper {
 public:
  // `act` runs in the child, which ends right after it. It must not use Catch.
  explicit Stepper(const std::function<void()>& act);
  ~Stepper();  // kills it if it still runs
  Stepper(Stepper&& from) noexcept
      : pid_(std::exchange(from.pid_, -1)), steps_(from.steps_), status_(from.status_) {}
  Stepper(const Stepper&) = delete;
  Stepper& operator=(const Stepper&) = delete;

  // One instruction. False: the child has ended.
  [[nodiscard]] bool step();
  // A second process that stands where this one stands, with the same private state.
  [[nodiscard]] Stepper clone() const;
  // Up to `count` more. False: it ended before.
  [[nodiscard]] bool step(std::uint64_t count);
  // Runs on freely to its end. True: it ended in order.
  [[nodiscard]] bool finish();
  void kill();
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }
  // The address of the next instruction; a repeated one (rep movsb) stays at it for many steps.
  [[nodiscard]] std::uint64_t address() const;

 private:
  explicit Stepper(pid_t traced) noexcept : pid_(traced) {}
  [[nodiscard]] bool wait_stopped();

  pid_t pid_ = -1;
  std::uint64_t steps_ = 0;
  int status_ = 0;
};

}  // namespace sessionblocks::crash
