// Ends a case with a sentence that says what was tried and what the system answered.
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace sessionblocks::bench {

[[noreturn]] inline void give_up(const std::string& what) {
  throw std::runtime_error(what);
}

[[noreturn]] inline void give_up_errno(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

// A command line that cannot be carried out: the program ends with 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace sessionblocks::bench
