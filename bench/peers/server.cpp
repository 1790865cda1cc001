#include "server.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "clock.hpp"
#include "failure.hpp"
#include "memory.hpp"

namespace sessionblocks::bench {
namespace {

constexpr std::uint64_t kStartNs = 20'000'000'000;

// -1 when nobody listens there.
int try_connect(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof(address.sun_path)) {
    give_up("the path of the socket is too long, use a shorter TMPDIR: " + path.native());
  }
  path.native().copy(address.sun_path, path.native().size());
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) give_up_errno("make a socket");
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(descriptor, generic, sizeof(address)) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

[[noreturn]] void become(const std::filesystem::path& program, std::vector<std::string> words,
                         const std::filesystem::path& log, pid_t parent) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  for (const int number : {SIGINT, SIGTERM, SIGPIPE}) ::signal(number, SIG_DFL);
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const int input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (output < 0 || input < 0) ::_exit(1);
  ::dup2(input, 0);
  ::dup2(output, 1);
  ::dup2(output, 2);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(program.c_str(), arguments.data());
  ::_exit(127);
}

std::string contents(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace

std::filesystem::path find_program(const std::string& name) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const auto program = std::filesystem::path(folder) / name;
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  return {};
}

std::string version_line(const std::string& name, const std::string& argument) {
  const auto program = find_program(name);
  if (program.empty()) return "not installed";
  FILE* const pipe = ::popen((program.native() + " " + argument + " 2>&1").c_str(), "re");
  if (pipe == nullptr) return "unknown";
  std::array<char, 256> line{};
  if (std::fgets(line.data(), line.size(), pipe) == nullptr) line[0] = '\0';
  ::pclose(pipe);
  const std::string text = line.data();
  return text.substr(0, text.find('\n'));
}

int connect_unix(const std::filesystem::path& socket) {
  const int descriptor = try_connect(socket);
  if (descriptor < 0) give_up_errno("connect to " + socket.native());
  return descriptor;
}

Server::Server(const std::string& name, const std::vector<std::string>& arguments,
               const std::filesystem::path& socket, const std::filesystem::path& log) {
  const auto program = find_program(name);
  if (program.empty()) give_up(name + " is not installed; install Debian's package of it");
  std::vector<std::string> words{name};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) give_up_errno("fork");
  if (pid_ == 0) become(program, std::move(words), log, parent);
  const std::uint64_t begun_ns = Clock::monotonic_ns();
  for (;;) {
    const int descriptor = try_connect(socket);
    if (descriptor >= 0) {
      ::close(descriptor);
      break;
    }
    const bool has_ended = ::waitpid(pid_, nullptr, WNOHANG) == pid_;
    if (has_ended) pid_ = -1;
    if (has_ended || Clock::monotonic_ns() - begun_ns > kStartNs) {
      stop();
      give_up(name + " does not listen on its socket; it said: " + contents(log));
    }
    ::poll(nullptr, 0, 2);
  }
  empty_bytes_ = resident_bytes(pid_);
}

Server::~Server() {
  stop();
}

void Server::stop() noexcept {
  if (pid_ < 0) return;
  // Nothing to save, and memcached takes a second to notice a SIGTERM.
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

std::uint64_t Server::grown_bytes() const {
  const std::uint64_t now = resident_bytes(pid_);
  return now > empty_bytes_ ? now - empty_bytes_ : 0;
}

}  // namespace sessionblocks::bench
