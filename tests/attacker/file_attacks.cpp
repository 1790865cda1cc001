// On files: the runtime folder, the suite, the machine's programs.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "attack.hpp"
#include "scene.hpp"

namespace attacker {
namespace {

Outcome open_path(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
  return outcome_of(fd);
}

// Changes nothing even when it succeeds.
Outcome set_mode_as_it_is(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return refused_with(errno);
  return outcome_of(::chmod(path.c_str(), status.st_mode & 07777));
}

Outcome put_other_socket(const Scene& scene) {
  const std::string path = scene.runtime + "/socket.new";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return refused_with(errno);
  return outcome_of(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
}

std::string suite_file() {
  return variable("SUITE_FOLDER") + "/suite.toml";
}

}  // namespace

void add_file_attacks(Attacks& attacks) {
  const auto add = [&attacks](const char* name, std::function<Outcome(const Scene&)> attempt) {
    attacks.push_back({std::string("files: ") + name, std::move(attempt), {}});
  };
  add("read operator.key",
      [](const Scene& scene) { return open_path(scene.runtime + "/operator.key", O_RDONLY); });
  add("write operator.key",
      [](const Scene& scene) { return open_path(scene.runtime + "/operator.key", O_WRONLY); });
  add("open the lock, to keep a director out",
      [](const Scene& scene) { return open_path(scene.runtime + "/lock", O_RDONLY); });
  add("list the runtime folder",
      [](const Scene& scene) { return open_path(scene.runtime, O_RDONLY | O_DIRECTORY); });
  add("make a file in the runtime folder",
      [](const Scene& scene) { return open_path(scene.runtime + "/new", O_WRONLY | O_CREAT); });
  add("remove the socket",
      [](const Scene& scene) { return outcome_of(::unlink(scene.socket.c_str())); });
  add("put a socket of its own into the runtime folder", put_other_socket);
  add("open the runtime folder to everybody",
      [](const Scene& scene) { return outcome_of(::chmod(scene.runtime.c_str(), 0777)); });
  add("list the log folder",
      [](const Scene&) { return open_path(variable("LOG_FOLDER"), O_RDONLY | O_DIRECTORY); });
  add("open the log folder to everybody",
      [](const Scene&) { return set_mode_as_it_is(variable("LOG_FOLDER")); });
  add("write the suite file", [](const Scene&) { return open_path(suite_file(), O_WRONLY); });
  add("change the mode of the suite file",
      [](const Scene&) { return set_mode_as_it_is(suite_file()); });
  add("change the times of the suite file", [](const Scene&) {
    return outcome_of(::utimensat(AT_FDCWD, suite_file().c_str(), nullptr, 0));
  });
  add("change the mode of a program, which could make it setuid",
      [](const Scene&) { return set_mode_as_it_is(variable("OWN_PROGRAM")); });
  add("change the mode of a program of the machine",
      [](const Scene&) { return set_mode_as_it_is("/usr/bin/env"); });
  add("write a temporary folder that is not its own", [](const Scene& scene) {
    const auto folder = scene.sibling.own_file.substr(0, scene.sibling.own_file.rfind('/'));
    return open_path(folder + "/new", O_WRONLY | O_CREAT);
  });
}

}  // namespace attacker
