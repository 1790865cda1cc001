#include "platform/sandbox.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "platform/capabilities.hpp"
#include "platform/mounts.hpp"
#include "platform/os_error.hpp"

namespace sessionblocks::platform {
namespace {

using namespace landlock;

constexpr std::uint64_t kReadOnly = kReadFile | kReadDir;
constexpr std::uint64_t kReadAndExecute = kReadOnly | kExecute;
constexpr std::uint64_t kFileRights = kExecute | kReadFile | kWriteFile | kTruncate | kIoctlDev;
constexpr std::uint64_t kDevice = kReadFile | kWriteFile | kTruncate | kIoctlDev;
// No device nodes: nothing a worker does needs to make one.
constexpr std::uint64_t kEverything = kReadAndExecute | kWriteFile | kRemoveDir | kRemoveFile |
                                      kMakeDir | kMakeReg | kMakeSock | kMakeFifo | kMakeSym |
                                      kRefer | kTruncate;
constexpr std::uint64_t kHandled = kEverything | kMakeChar | kMakeBlock | kIoctlDev;

constexpr const char* kShmFolder = "/dev/shm";

std::uint64_t rights_of_abi(int abi) noexcept {
  std::uint64_t rights = kHandled;
  if (abi < 2) rights &= ~kRefer;
  if (abi < kAbiWithTruncate) rights &= ~kTruncate;
  if (abi < kAbiWithIoctl) rights &= ~kIoctlDev;
  return rights;
}

// Whether `inner` is `outer` or lies in it; both canonical.
bool lies_in(const std::filesystem::path& inner, const std::filesystem::path& outer) {
  const auto [end, rest] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return end == outer.end() || (end->empty() && std::next(end) == outer.end());
}

std::filesystem::path canonical(const std::string& path) {
  std::error_code ignored;
  auto answer = std::filesystem::weakly_canonical(path, ignored);
  return ignored ? std::filesystem::path(path).lexically_normal() : answer;
}

Result<void> check_not_forbidden(const std::string& path, const SandboxPolicy& policy) {
  if (path.empty()) return {};
  const auto allowed = canonical(path);
  for (const std::string& secret : policy.forbidden) {
    const auto forbidden = canonical(secret);
    const bool inside = lies_in(allowed, forbidden) && path != policy.temporary_folder;
    if (!inside && !lies_in(forbidden, allowed)) continue;
    return fail(Errc::invalid_argument, "sandbox: allowing " + path + " would open " + secret +
                                            ", which no worker may touch");
  }
  return {};
}

bool write_file(const char* path, const char* text) noexcept {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = ::write(fd, text, std::strlen(text)) >= 0;
  const int number = errno;
  ::close(fd);
  errno = number;
  return written;
}

constexpr const char* kReadAndExecutePaths[] = {"/usr",   "/bin",   "/sbin",   "/lib",
                                                "/lib32", "/lib64", "/libx32", "/opt"};
constexpr const char* kReadPaths[] = {"/etc", "/proc", "/sys"};
constexpr const char* kDevices[] = {"/dev/null",    "/dev/full", "/dev/zero", "/dev/random",
                                    "/dev/urandom", "/dev/tty",  "/dev/ptmx"};

}  // namespace

std::vector<std::string> sandbox_gaps() {
  std::vector<std::string> gaps;
  const int abi = landlock::abi();
  if (abi == 0) gaps.emplace_back("no Landlock: files of this user are open to its workers");
  if (abi < kAbiWithTruncate) {
    gaps.emplace_back("no Landlock ABI 3 (Linux 6.2): a worker with \"rw\" can truncate a segment");
  }
  if (abi < kAbiWithScopes) {
    gaps.emplace_back("no Landlock ABI 6 (Linux 6.12): a worker can signal processes of its user");
  }
  if (!kernel_has_seccomp()) {
    gaps.emplace_back(
        "no seccomp: a worker can punch holes and set limits of its user's processes");
  }
  return gaps;
}

Result<PreparedSandbox> PreparedSandbox::prepare(const SandboxPolicy& policy) {
  PreparedSandbox sandbox;
  sandbox.landlock_abi_ = landlock::abi();
  sandbox.attributes_.handled_access_fs = rights_of_abi(sandbox.landlock_abi_);
  if (sandbox.landlock_abi_ >= kAbiWithScopes) {
    sandbox.attributes_.scoped = kScopeAbstractSocket | kScopeSignal;
  }
  if (auto allowed = sandbox.allow_system_paths(); !allowed) {
    return tl::unexpected(allowed.error());
  }
  if (auto allowed = sandbox.allow_policy_paths(policy); !allowed) {
    return tl::unexpected(allowed.error());
  }
  sandbox.keep_writable(policy);
  auto filter = worker_seccomp_program();
  if (!filter) return tl::unexpected(filter.error());
  sandbox.filter_ = std::move(*filter);
  sandbox.seccomp_available_ = kernel_has_seccomp();
  sandbox.shm_ = policy.shm;
  sandbox.shm_options_ = "mode=1777,size=" + std::to_string(policy.shm_bytes);
  sandbox.needs_user_namespace_ = !may_administer();
  const std::string uid = std::to_string(::geteuid());
  const std::string gid = std::to_string(::getegid());
  sandbox.uid_map_.append(uid).append(" ").append(uid).append(" 1\n");
  sandbox.gid_map_.append(gid).append(" ").append(gid).append(" 1\n");
  return sandbox;
}

void PreparedSandbox::keep_writable(const SandboxPolicy& policy) {
  const auto keep = [this](const std::string& path) {
    if (!path.empty()) writable_paths_.push_back({path, -1});
  };
  keep(policy.working_folder);
  keep(policy.temporary_folder);
  for (const std::string& path : policy.write_paths) keep(path);
}

Result<void> PreparedSandbox::allow(const std::string& path, std::uint64_t access) {
  UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd) return fail_errno("sandbox: allow", path);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail_errno("sandbox: allow", path);
  if (!S_ISDIR(status.st_mode)) access &= kFileRights;  // the kernel takes only these for a file
  rules_.push_back({std::move(fd), access & attributes_.handled_access_fs});
  return {};
}

Result<void> PreparedSandbox::allow_system_paths() {
  const auto allow_if_there = [this](const char* path, std::uint64_t access) -> Result<void> {
    auto allowed = allow(path, access);
    if (!allowed && allowed.error() == Errc::not_found) return {};  // not every system has it
    return allowed;
  };
  for (const char* path : kReadAndExecutePaths) {
    if (auto done = allow_if_there(path, kReadAndExecute); !done) return done;
  }
  for (const char* path : kReadPaths) {
    if (auto done = allow_if_there(path, kReadOnly); !done) return done;
  }
  for (const char* path : kDevices) {
    if (auto done = allow_if_there(path, kDevice); !done) return done;
  }
  return allow_if_there("/dev/pts", kDevice | kReadDir);
}

Result<void> PreparedSandbox::allow_policy_paths(const SandboxPolicy& policy) {
  for (const char* path : kReadAndExecutePaths) {
    if (auto checked = check_not_forbidden(path, policy); !checked) return checked;
  }
  for (const char* path : kReadPaths) {
    if (auto checked = check_not_forbidden(path, policy); !checked) return checked;
  }
  const auto allow_checked = [&](const std::string& path, std::uint64_t access) -> Result<void> {
    if (path.empty()) return {};
    if (auto checked = check_not_forbidden(path, policy); !checked) return checked;
    return allow(path, access);
  };
  struct Wish {
    const std::string& path;
    std::uint64_t access;
  };
  std::vector<Wish> wishes = {{policy.command_folder, kReadAndExecute},
                              {policy.suite_folder, kReadAndExecute},
                              {policy.program_folder, kReadAndExecute},
                              {policy.working_folder, kEverything},
                              {policy.temporary_folder, kEverything}};
  for (const std::string& path : policy.read_paths) wishes.push_back({path, kReadOnly});
  for (const std::string& path : policy.write_paths) wishes.push_back({path, kEverything});
  for (const Wish& wish : wishes) {
    if (auto allowed = allow_checked(wish.path, wish.access); !allowed) return allowed;
  }
  return {};
}

bool PreparedSandbox::enter_user_namespace() const noexcept {
  // One user and one group, mapped to themselves; groups cannot be changed any more, which the
  // kernel demands of who writes a map without privileges.
  return ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
         write_file("/proc/self/setgroups", "deny") &&
         write_file("/proc/self/uid_map", uid_map_.c_str()) &&
         write_file("/proc/self/gid_map", gid_map_.c_str());
}

bool PreparedSandbox::enter_mount_namespace() const noexcept {
  const bool separate =
      needs_user_namespace_ ? enter_user_namespace() : ::unshare(CLONE_NEWNS) == 0;
  // Slave, not private: what the machine mounts later still appears; nothing of ours gets out.
  return separate && ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0;
}

bool PreparedSandbox::mount_own_shm() const noexcept {
  return ::mount("tmpfs", kShmFolder, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                 shm_options_.c_str()) == 0;
}

// Each writable path is copied as it is before, and put over itself after, so that it keeps its
// mounts and their flags; a path inside another appears in both copies.
bool PreparedSandbox::make_files_read_only() noexcept {
  for (WritablePath& path : writable_paths_) {
    path.copy = mounts::copy_tree(path.name.c_str());
    if (path.copy < 0) return false;
  }
  if (!mounts::make_tree_read_only(AT_FDCWD, "/")) return false;
  for (WritablePath& path : writable_paths_) {
    if (!mounts::attach_tree(path.copy, path.name.c_str())) return false;
    ::close(path.copy);
  }
  return true;
}

bool PreparedSandbox::apply_before_user(const ChildReporter& reporter) noexcept {
  const bool separate = enter_mount_namespace();
  if (!separate && shm_ == ShmChoice::own) return reporter.failed(ChildStep::private_shm);
  if (!separate) reporter.skipped(ChildStep::mount_namespace, errno);
  if (separate && !make_files_read_only()) reporter.skipped(ChildStep::read_only_files, errno);
  has_own_shm_ = separate && shm_ != ShmChoice::deny && mount_own_shm();
  if (separate && !has_own_shm_ && shm_ != ShmChoice::deny) {
    if (shm_ == ShmChoice::own) return reporter.failed(ChildStep::private_shm);
    reporter.skipped(ChildStep::private_shm, errno);
  }
  return drop_capability_bounds() || reporter.failed(ChildStep::capabilities);
}

bool PreparedSandbox::restrict_files() const noexcept {
  const int ruleset = create_ruleset(attributes_);
  if (ruleset < 0) return false;
  for (const PathRule& rule : rules_) {
    if (add_path(ruleset, rule.path.get(), rule.access) != 0) return false;
  }
  if (has_own_shm_) {
    // It has just been mounted, so its rule could not be prepared.
    const int shm = ::open(kShmFolder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    constexpr std::uint64_t kShmRights = kEverything & ~kExecute;
    if (shm < 0 || add_path(ruleset, shm, kShmRights & attributes_.handled_access_fs) != 0) {
      return false;
    }
    ::close(shm);
  }
  const bool restricted = restrict_self(ruleset) == 0;
  ::close(ruleset);
  return restricted;
}

bool PreparedSandbox::apply_after_user(const ChildReporter& reporter) noexcept {
  if (!drop_capabilities()) return reporter.failed(ChildStep::capabilities);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return reporter.failed(ChildStep::no_new_privileges);
  }
  if (landlock_abi_ == 0) {
    reporter.skipped(ChildStep::landlock, ENOSYS);
  } else if (!restrict_files()) {
    return reporter.failed(ChildStep::landlock);
  }
  if (!seccomp_available_) {
    reporter.skipped(ChildStep::seccomp, ENOSYS);
  } else if (install_seccomp(filter_) != 0) {
    return reporter.failed(ChildStep::seccomp);
  }
  return true;
}

}  // namespace sessionblocks::platform
