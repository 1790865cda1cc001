#include "platform/opener_thread.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <utility>

#include "platform/landlock.hpp"
#include "platform/os_error.hpp"
#include "platform/read_only_view.hpp"

namespace sessionblocks::platform {
namespace {

// Takes the right to truncate from the calling thread; no_new_privs too is the thread's own.
bool give_up_truncation() noexcept {
  if (landlock::abi() < landlock::kAbiWithTruncate) return false;
  const UniqueFd ruleset(landlock::create_ruleset({.handled_access_fs = landlock::kTruncate}));
  if (!ruleset) return false;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  return landlock::restrict_self(ruleset.get()) == 0;
}

}  // namespace

OpenerThread::OpenerThread() {
  // The thread inherits the mask: no signal handler of the process ever runs in it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ready_; });
}

OpenerThread::~OpenerThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Result<UniqueFd> OpenerThread::open(const std::string& name, Access access) {
  if (name.empty() || name.find('/') != std::string::npos || name.front() == '.') {
    return fail(Errc::invalid_argument, "open segment \"" + name + "\": must be a plain file name");
  }
  Request mine{.name = &name, .access = access, .answer = std::nullopt};
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return request_ == nullptr; });
  request_ = &mine;
  changed_.notify_all();
  changed_.wait(lock, [&mine] { return mine.answer.has_value(); });
  return std::move(*mine.answer);
}

void OpenerThread::run() {
  read_only_folder_ = open_read_only_view("/dev/shm");  // a restricted thread may not mount
  const bool stripped = give_up_truncation();
  std::unique_lock lock(mutex_);
  strips_truncation_ = stripped;
  ready_ = true;
  changed_.notify_all();
  while (true) {
    changed_.wait(lock, [this] { return request_ != nullptr || ending_; });
    if (request_ == nullptr) return;
    Request* const request = std::exchange(request_, nullptr);
    request->answer = open_here(*request->name, request->access);
    changed_.notify_all();
  }
}

Result<UniqueFd> OpenerThread::open_here(const std::string& name, Access access) const {
  if (access == Access::read_only && read_only_folder_) {
    UniqueFd fd(::openat(read_only_folder_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return fail_errno("open segment", name);
    return fd;
  }
  const int flags = access == Access::read_write ? O_RDWR : O_RDONLY;
  // shm_open adds O_CLOEXEC and O_NOFOLLOW.
  UniqueFd fd(::shm_open(("/" + name).c_str(), flags, 0));
  if (!fd) return fail_errno("open segment", name);
  return fd;
}

}  // namespace sessionblocks::platform
