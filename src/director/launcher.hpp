// Starts a script's process: its command, environment, sandbox and user.
//
// Environment: PATH, HOME, LANG, LC_*, TERM, TZ and USER of the director (with `user =` HOME and
// USER are that user's), TMPDIR of the worker slot, what `env` of the suite says, and
//   SESSIONBLOCKS_SOCKET, SESSIONBLOCKS_SCOPE, SESSIONBLOCKS_TOKEN
// Nothing else is passed on: a director's environment may hold secrets.
#pragma once

#include <functional>
#include <memory>
#include <sessionblocks/error.hpp>
#include <string>
#include <vector>

#include "director/runtime_paths.hpp"
#include "director/suite.hpp"
#include "platform/unique_fd.hpp"

namespace sessionblocks::director {

struct Launch {
  const ScriptSpec& script;
  const std::vector<std::string>& arguments;  // after those of its command
  std::string scope;                          // path
  std::string token;
  // Called when the process is there, before it runs anything. An error ends it.
  std::function<Result<void>(pid_t)> admit;
};

struct Launched {
  pid_t pid = 0;
  platform::UniqueFd pidfd;
  std::vector<std::string> left_out;  // what of the sandbox could not be had
};

class Launcher {
 public:
  virtual ~Launcher() = default;
  // not_found, denied: the command, a folder, or the user. No child is left on an error.
  virtual Result<Launched> start(const Launch& launch) = 0;
  // Removes what start() made for the worker slot (its TMPDIR).
  virtual void clean_up(const std::string& scope) = 0;
};

enum class Confinement : std::uint8_t { sandbox, none };

[[nodiscard]] std::unique_ptr<Launcher> make_launcher(const RuntimePaths& paths, const Suite& suite,
                                                      Confinement confinement);

}  // namespace sessionblocks::director
