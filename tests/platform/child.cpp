#include "child.hpp"

#include <signal.h>
#include <sys/mman.h>

#include <filesystem>

namespace sessionblocks::test {

void use_default_signals() {
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTERM, SIGINT}) {
    ::signal(signal, SIG_DFL);
  }
}

std::string unique_name(const char* what) {
  static int count = 0;
  return "sessionblocks-test." + std::to_string(::getpid()) + "." + std::to_string(++count) + "." +
         what;
}

NameRemover::~NameRemover() {
  ::shm_unlink(("/" + name).c_str());
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "sessionblocks-XXXXXX").string();
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace sessionblocks::test
