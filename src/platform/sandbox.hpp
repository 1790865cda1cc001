// What a started worker may touch, and how the kernel is told.
//
// Prepared in the parent, where memory may be taken and paths be opened; applied in the child
// between fork and exec, by system calls only. Order in the child: mount namespace in which
// everything but the writable paths is read-only (Landlock knows no right to change a mode, an
// owner or a time, so a worker could open files of its user to everybody, or make them setuid) with
// a /dev/shm of its own, capability bounds, (user), capabilities, no_new_privs, Landlock, seccomp.
//
// Always allowed: read and execute /usr /bin /sbin /lib* /opt; read /etc /proc /sys; the harmless
// device nodes and /dev/pts. Connecting to a Unix socket by path stays possible: who may do what
// there is the director's decision. Not restricted: the network, CPU and memory.
//
// Nothing is left by a crash: mounts end with the namespace, restrictions with their process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <sessionblocks/error.hpp>
#include <string>
#include <vector>

#include "platform/child_report.hpp"
#include "platform/landlock.hpp"
#include "platform/seccomp.hpp"
#include "platform/unique_fd.hpp"

namespace sessionblocks::platform {

enum class ShmChoice : std::uint8_t {
  automatic,  // its own /dev/shm where the kernel permits it, none otherwise
  own,        // its own /dev/shm, or the start fails
  deny,       // none
};

// All paths absolute; an empty one is left out.
struct SandboxPolicy {
  std::string command_folder;    // read and execute
  std::string suite_folder;      // read and execute
  std::string program_folder;    // read and execute: where sessionctl stands beside the director
  std::string working_folder;    // everything
  std::string temporary_folder;  // everything; it may lie inside a forbidden folder
  std::vector<std::string> read_paths;
  std::vector<std::string> write_paths;
  // Runtime folder, logs, DataBlocks: no allowed path may contain one or lie in one.
  std::vector<std::string> forbidden;
  ShmChoice shm = ShmChoice::automatic;
  std::uint64_t shm_bytes = std::uint64_t{256} << 20;  // limit of its own /dev/shm
};

// What this kernel cannot enforce, a sentence each; empty when everything is there.
[[nodiscard]] std::vector<std::string> sandbox_gaps();

class PreparedSandbox {
 public:
  // not_found: a path of the policy does not exist; invalid_argument: an allowed path meets a
  // forbidden one (both are named); unsupported: no filter for this machine.
  [[nodiscard]] static Result<PreparedSandbox> prepare(const SandboxPolicy& policy);

  // In the child, before and after it changes user. false: reported as fatal; the child must exit.
  [[nodiscard]] bool apply_before_user(const ChildReporter& reporter) noexcept;
  [[nodiscard]] bool apply_after_user(const ChildReporter& reporter) noexcept;

 private:
  struct PathRule {
    UniqueFd path;
    std::uint64_t access = 0;
  };

  struct WritablePath {
    std::string name;
    int copy = -1;  // of its mounts, in the child
  };

  PreparedSandbox() = default;
  Result<void> allow(const std::string& path, std::uint64_t access);
  Result<void> allow_system_paths();
  Result<void> allow_policy_paths(const SandboxPolicy& policy);
  void keep_writable(const SandboxPolicy& policy);
  [[nodiscard]] bool enter_mount_namespace() const noexcept;
  [[nodiscard]] bool enter_user_namespace() const noexcept;
  [[nodiscard]] bool mount_own_shm() const noexcept;
  [[nodiscard]] bool make_files_read_only() noexcept;
  [[nodiscard]] bool restrict_files() const noexcept;

  int landlock_abi_ = 0;
  bool seccomp_available_ = false;
  landlock::RulesetAttributes attributes_;
  std::vector<PathRule> rules_;
  SeccompProgram filter_;
  ShmChoice shm_ = ShmChoice::automatic;
  std::string shm_options_;
  std::vector<WritablePath> writable_paths_;
  bool needs_user_namespace_ = false;
  std::string uid_map_;
  std::string gid_map_;
  bool has_own_shm_ = false;  // set in the child
};

}  // namespace sessionblocks::platform
