// A server program that a host starts and stops: by its pid, on a Unix socket, without a port.
// It dies with the host, and gets no signal of the terminal.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace sessionblocks::bench {

// The program's path, or an empty one when it is not installed.
[[nodiscard]] std::filesystem::path find_program(const std::string& name);
// The first line that `name` prints for `argument`; "not installed" when there is none.
[[nodiscard]] std::string version_line(const std::string& name, const std::string& argument);

class Server {
 public:
  // Waits until the socket accepts. Throws with the server's last words when it does not.
  Server(const std::string& name, const std::vector<std::string>& arguments,
         const std::filesystem::path& socket, const std::filesystem::path& log);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // Above what it took when it was empty.
  [[nodiscard]] std::uint64_t grown_bytes() const;

 private:
  void stop() noexcept;

  pid_t pid_ = -1;
  std::uint64_t empty_bytes_ = 0;
};

// A connected Unix socket; throws.
[[nodiscard]] int connect_unix(const std::filesystem::path& socket);

}  // namespace sessionblocks::bench
