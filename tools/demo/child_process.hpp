// A program that the driver starts, waits for, and takes with it when it dies itself.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace demo {

class ChildProcess {
 public:
  // Starts arguments[0] with stdout going to `output` when it is not empty, else to our stderr.
  // `is_running()` is false when it could not be started.
  explicit ChildProcess(const std::vector<std::string>& arguments,
                        const std::filesystem::path& output = {});
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  // Asks it to end (SIGTERM) if it still runs, and waits.
  ~ChildProcess();

  // Looks without waiting.
  [[nodiscard]] bool is_running();
  void ask_to_end();
  // Waits for the end. Returns the exit code, or 128 + the signal that ended it.
  int wait();

 private:
  void note_end(int status);

  pid_t pid_ = -1;
  int exit_code_ = 127;
};

}  // namespace demo
