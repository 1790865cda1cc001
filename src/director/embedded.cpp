#include "director/embedded.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "platform/os_error.hpp"
#include "platform/random.hpp"

namespace sessionblocks::director {
namespace {

Result<std::filesystem::path> fresh_directory() {
  const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
  std::string pattern = runtime != nullptr && runtime[0] == '/' ? runtime : "/tmp";
  pattern += "/sessionblocks-embedded-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return platform::fail_errno("make folder", pattern);
  return std::filesystem::path(pattern);
}

// Unique on this machine: several embedded systems live side by side, also in one process.
Result<std::string> unique_name() {
  const auto random = platform::random_u64();
  if (!random) return tl::unexpected(random.error());
  return "embedded-" + std::to_string(::getpid()) + "-" + std::to_string(*random & 0xFFFF'FFFFU);
}

}  // namespace

Result<std::unique_ptr<EmbeddedDirector>> EmbeddedDirector::start(EmbeddedSetup setup) {
  auto name = unique_name();
  if (!name) return tl::unexpected(name.error());
  DirectorOptions options;
  options.system = std::move(*name);
  options.runtime_directory = std::move(setup.runtime_directory);
  if (options.runtime_directory.empty()) {
    auto fresh = fresh_directory();
    if (!fresh) return tl::unexpected(fresh.error());
    options.runtime_directory = std::move(*fresh);
  }
  options.root = "embedded";
  options.naming = Naming::nameless;
  options.ring_records = setup.ring_records;
  options.budget_bytes = setup.budget_bytes;
  options.makes_scopes = true;
  options.make_audit = std::move(setup.make_audit);
  options.events = std::move(setup.events);
  options.make_guard = std::move(setup.make_guard);
  options.guard_clock = std::move(setup.guard_clock);
  auto director = Director::start(std::move(options));
  if (!director) return tl::unexpected(director.error());
  return std::unique_ptr<EmbeddedDirector>(new EmbeddedDirector(std::move(*director)));
}

EmbeddedDirector::EmbeddedDirector(std::unique_ptr<Director> director)
    : director_(std::move(director)), owner_(::getpid()) {
  // The program's signals are none of the director's business.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { director_->run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

EmbeddedDirector::~EmbeddedDirector() {
  if (::getpid() != owner_) {
    thread_.detach();
    static_cast<void>(director_.release());  // its folder and segments are the parent's
    return;
  }
  director_->stop();
  thread_.join();
}

}  // namespace sessionblocks::director
