// Starts a program as a child of this process.
//
// What it does: forks, sets the child up by system calls only (the parent has many threads), and
// tells the parent exactly which step failed, exec included, before it returns. What it does not:
// it never waits for the program, restarts it or kills it; a child outlives its parent.
// The child gets the three standard descriptors and those in `passed`, and no other; all signals
// have their default effect and none is blocked.
//
// If the parent dies half way, the child either runs the program or has ended; nothing is left.
// With `admit` the child runs nothing before the parent has written down that it is there: a parent
// that dies before that leaves no process of which nobody knows.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <sessionblocks/error.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "platform/sandbox.hpp"
#include "platform/unique_fd.hpp"
#include "platform/user.hpp"

namespace sessionblocks::platform {

struct PassedFd {
  int from = -1;  // here
  int to = -1;    // in the child, 3 or above
};

struct Program {
  std::string path;                      // absolute; see find_program()
  std::vector<std::string> arguments;    // argv, the program's name first
  std::vector<std::string> environment;  // "NAME=value", nothing is added
  std::string working_folder;            // empty: the parent's
  int standard_input = -1;               // -1: /dev/null
  int standard_output = -1;              // -1: the parent's
  int standard_error = -1;               // -1: the parent's
  std::vector<PassedFd> passed;
  std::optional<UserIds> user;           // needs privileges
  std::optional<SandboxPolicy> sandbox;  // none: no restriction at all
  // Called here when the child is there and has not yet run the program; it waits meanwhile. An
  // error, or the end of this process, ends it.
  std::function<Result<void>(pid_t)> admit;
};

struct Child {
  pid_t pid = 0;
  UniqueFd pidfd;
  // What of the sandbox was left out, a sentence each, e.g. "mount a private /dev/shm: Operation
  // not permitted". Empty when all of it holds.
  std::vector<std::string> left_out;
};

// Starts `program` in a process group of its own. On an error no child is left. The code is that of
// the step's errno (not_found: no such program or folder; denied; out_of_memory; too_many), the
// message names the step; or it is what PreparedSandbox::prepare() says.
[[nodiscard]] Result<Child> spawn(const Program& program);

// Finds `command` as a shell does: with a slash, relative to `working_folder`; otherwise along
// `search_path` ("a:b:c"). The answer is absolute. not_found; denied: there, but not executable.
[[nodiscard]] Result<std::string> find_program(const std::string& command,
                                               std::string_view search_path,
                                               const std::string& working_folder);

}  // namespace sessionblocks::platform
