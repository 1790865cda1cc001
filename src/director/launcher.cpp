#include "director/launcher.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>

#include "director/suite_check.hpp"
#include "platform/os_error.hpp"
#include "platform/spawn.hpp"

namespace sessionblocks::director {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 6> kPassedOn = {"PATH", "HOME", "LANG",
                                                       "TERM", "TZ",   "USER"};

bool is_passed_on(std::string_view name) {
  return name.substr(0, 3) == "LC_" ||
         std::find(kPassedOn.begin(), kPassedOn.end(), name) != kPassedOn.end();
}

std::map<std::string, std::string> own_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || !is_passed_on(text.substr(0, equals))) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

platform::ShmChoice shm_choice(ShmAccess access) {
  if (access == ShmAccess::private_mount) return platform::ShmChoice::own;
  if (access == ShmAccess::deny) return platform::ShmChoice::deny;
  return platform::ShmChoice::automatic;
}

std::vector<std::string> texts(const std::vector<fs::path>& paths) {
  std::vector<std::string> out;
  for (const fs::path& path : paths) out.push_back(path.native());
  return out;
}

class SandboxLauncher final : public Launcher {
 public:
  SandboxLauncher(const RuntimePaths& paths, const Suite& suite, Confinement confinement)
      : paths_(paths), suite_(suite), confinement_(confinement) {}

  Result<Launched> start(const Launch& launch) override {
    platform::Program program;
    if (launch.script.user) {
      auto user = platform::find_user(*launch.script.user);
      if (!user) return tl::unexpected(user.error());
      program.user = std::move(*user);
    }
    const fs::path command = find_program(launch.script, Machine{});
    if (command.empty()) {
      return fail(Errc::not_found,
                  "start " + launch.scope + ": no program " + launch.script.command.front());
    }
    program.path = command;
    program.arguments = launch.script.command;
    program.arguments.insert(program.arguments.end(), launch.arguments.begin(),
                             launch.arguments.end());
    const auto temporary = make_temporary(launch.scope, program.user);
    if (!temporary) return tl::unexpected(temporary.error());
    program.environment = environment_of(launch, program.user, *temporary);
    // An ordinary user who names itself: there is nothing to change, and no right to.
    if (program.user && program.user->uid == ::geteuid() && ::geteuid() != 0) program.user.reset();
    program.working_folder = launch.script.cwd.value_or(suite_.folder);
    if (confinement_ == Confinement::sandbox) {
      program.sandbox = policy_of(launch.script, command, *temporary);
    }
    program.admit = launch.admit;
    auto child = platform::spawn(program);
    if (!child) return tl::unexpected(child.error());
    return Launched{child->pid, std::move(child->pidfd), std::move(child->left_out)};
  }

  void clean_up(const std::string& scope) override {
    std::error_code ignored;
    fs::remove_all(temporary_of(scope), ignored);
    fs::remove(paths_.directory / "tmp", ignored);  // once it is empty
  }

 private:
  // A scope's path has slashes; a folder's name has none.
  [[nodiscard]] fs::path temporary_of(const std::string& scope) const {
    std::string name = scope;
    std::replace(name.begin(), name.end(), '/', '.');
    return paths_.directory / "tmp" / name;
  }

  [[nodiscard]] Result<fs::path> make_temporary(
      const std::string& scope, const std::optional<platform::UserIds>& user) const {
    fs::path folder = temporary_of(scope);
    // Of other users too, whatever the umask is.
    if (::mkdir(folder.parent_path().c_str(), 0711) == 0) {
      ::chmod(folder.parent_path().c_str(), 0711);
    }
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
      return platform::fail_errno("make folder", folder.native());
    }
    if (user && ::chown(folder.c_str(), user->uid, user->gid) != 0) {
      return platform::fail_errno("give folder to the script's user", folder.native());
    }
    return folder;
  }

  // Where we stand ourselves: a script in any language calls sessionctl, which is there too, also
  // in a tree that was not installed. Empty when that folder may not be shown.
  [[nodiscard]] fs::path program_folder() const {
    std::error_code unknown;
    const fs::path folder = fs::read_symlink("/proc/self/exe", unknown).parent_path();
    return unknown || folders_overlap(folder, paths_.directory) ? fs::path() : folder;
  }

  [[nodiscard]] std::vector<std::string> environment_of(
      const Launch& launch, const std::optional<platform::UserIds>& user,
      const fs::path& temporary) const {
    auto variables = own_environment();
    if (user) {  // what many programs read at start would be a folder that is closed to them
      variables["HOME"] = user->home;
      variables["USER"] = *launch.script.user;
    }
    if (const fs::path own = program_folder(); !own.empty()) {
      std::string& path = variables["PATH"];
      path.append(path.empty() ? "" : ":").append(own.native());
    }
    variables["TMPDIR"] = temporary.native();
    for (const auto& [name, value] : launch.script.env) variables[name] = value;
    variables["SESSIONBLOCKS_SOCKET"] = paths_.socket().native();
    variables["SESSIONBLOCKS_SCOPE"] = launch.scope;
    variables["SESSIONBLOCKS_TOKEN"] = launch.token;
    std::vector<std::string> out;
    for (const auto& [name, value] : variables) out.push_back(name + "=" + value);
    return out;
  }

  [[nodiscard]] platform::SandboxPolicy policy_of(const ScriptSpec& script, const fs::path& command,
                                                  const fs::path& temporary) const {
    platform::SandboxPolicy policy;
    policy.command_folder = command.parent_path();
    policy.suite_folder = suite_.folder;
    policy.program_folder = program_folder().native();
    if (script.cwd) policy.working_folder = *script.cwd;
    policy.temporary_folder = temporary;
    policy.read_paths = texts(script.read_paths);
    policy.write_paths = texts(script.write_paths);
    policy.forbidden = {paths_.directory.native()};
    policy.shm = shm_choice(script.shm);
    return policy;
  }

  const RuntimePaths& paths_;
  const Suite& suite_;
  Confinement confinement_;
};

}  // namespace

std::unique_ptr<Launcher> make_launcher(const RuntimePaths& paths, const Suite& suite,
                                        Confinement confinement) {
  return std::make_unique<SandboxLauncher>(paths, suite, confinement);
}

}  // namespace sessionblocks::director
