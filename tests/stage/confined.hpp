// A part of a test in circumstances of its own: this program again, with one hidden case, after
// `prepare` has changed what the process gets of the machine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace sessionblocks::stage {

// What `prepare` answers where this machine does not permit it; the case is passed over then.
inline constexpr int kNotPermitted = 77;

// Runs the hidden case `tag`; `prepare` returns 0 when all went well. Its output is the test's.
void run_hidden(const std::string& tag, const std::function<int()>& prepare);

// For `prepare`: /dev/shm becomes a tmpfs of this size, seen by this process and its children only.
[[nodiscard]] int enter_small_shm(std::uint64_t bytes);

// All the room that /dev/shm has left, and the room back. Only in a small one.
class Balloon {
 public:
  Balloon();
  ~Balloon();
  Balloon(const Balloon&) = delete;
  Balloon& operator=(const Balloon&) = delete;

  void blow_up() const;
  void let_out() const;

 private:
  int fd_;
};

}  // namespace sessionblocks::stage
