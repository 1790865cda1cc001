// Tells others of a finding: a program, or who listens on a socket. Nobody is waited for.
//
// A program is started with the finding as JSON in SESSIONBLOCKS_FINDING and nothing else in its
// environment but PATH; it is ended after kLongestMs. At most kMost run at a time. A socket is of
// type SOCK_SEQPACKET, and gets one message of JSON. What could not be told is said by tell().
#pragma once

#include <string>
#include <vector>

#include "platform/unique_fd.hpp"

namespace sessionblocks::flowguard {

class Notifier {
 public:
  static constexpr std::size_t kMost = 8;
  static constexpr std::uint64_t kLongestMs = 10'000;

  ~Notifier();

  // `to` as GuardSpec::notify. Empty: it was told; otherwise why not.
  [[nodiscard]] std::string tell(const std::vector<std::string>& to, const std::string& json,
                                 std::uint64_t now_ms);
  // Reaps those that have ended, and ends those that take too long.
  void look(std::uint64_t now_ms);

 private:
  struct Running {
    platform::UniqueFd pidfd;
    std::uint64_t started_ms = 0;
  };
  [[nodiscard]] std::string start(const std::vector<std::string>& command, const std::string& json,
                                  std::uint64_t now_ms);
  std::vector<Running> running_;
};

}  // namespace sessionblocks::flowguard
