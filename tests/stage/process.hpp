// A process of a test: a function in a forked child, or a program. It dies with the test, whatever
// happens, and is killed and reaped at the end of its Process.
//
// Fork only from a test that has no threads: then the child may do anything.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sessionblocks::stage {

inline constexpr unsigned kWatchdogSeconds = 120;

// The child's end: lines to the test, single bytes from it.
class Link {
 public:
  Link(int in, int out) noexcept : in_(in), out_(out) {}
  void say(const std::string& line) const;
  // The next byte; the test's end ends the child.
  [[nodiscard]] char hear() const;
  // From here on what the process prints is what it says.
  void redirect_output() const;

 private:
  int in_;
  int out_;
};

// What a program gets of this machine; 0: all that the test has.
struct Limits {
  rlim_t descriptors = 0;
  rlim_t processes = 0;
  rlim_t file_bytes = 0;
};

class Process {
 public:
  // `body` returns the exit code. It has no descriptor of the test but 0, 1, 2 and the link's.
  explicit Process(const std::function<int(Link&)>& body);
  // Its output is read as lines; `errors`: a file that gets its standard error, if not empty.
  explicit Process(const std::vector<std::string>& words, const std::string& errors = {},
                   const Limits& limits = {});
  ~Process();
  Process(Process&& from) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  Process& operator=(Process&&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  void tell(char word) const;
  [[nodiscard]] std::string read_line();  // empty at the end of its output
  [[nodiscard]] std::string read_all();
  void signal(int number) const;
  // Exit code, or 128 + signal.
  [[nodiscard]] int wait();
  [[nodiscard]] bool has_ended();  // reaps it if so

 private:
  void start(const std::function<void(int in, int out)>& in_child);
  pid_t pid_ = 0;
  int in_ = -1;
  int out_ = -1;
  int status_ = 0;
  std::string buffered_;
};

// Every descriptor above 2 but these two.
void close_all_but(int first, int second) noexcept;

}  // namespace sessionblocks::stage
