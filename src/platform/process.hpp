// Other processes: who they are, whether they live, how to signal and reap them.
//
// A pid alone is no identity: numbers are used again. While we hold a pidfd the process is
// certain; across a restart of the director it is pid, start time and boot together.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <sessionblocks/error.hpp>
#include <string>

#include "platform/unique_fd.hpp"

namespace sessionblocks::platform {

// A pidfd becomes readable when the whole process (all its threads) has ended, before it is reaped.
// not_found: no such process; unsupported before Linux 5.3.
[[nodiscard]] Result<UniqueFd> open_pidfd(pid_t pid);

// Whether the process of the pidfd has ended. Never waits.
[[nodiscard]] bool pidfd_ended(int pidfd) noexcept;

// Sends a signal to exactly this process. not_found: it has ended and was reaped; denied.
[[nodiscard]] Result<void> send_signal(int pidfd, int signal);

// How a child of ours ended.
struct ExitStatus {
  bool by_signal = false;
  int number = 0;  // exit code, or the signal
  [[nodiscard]] bool succeeded() const noexcept { return !by_signal && number == 0; }
  // "exit code 3" or "signal 9 (Killed)".
  [[nodiscard]] std::string text() const;
};

// Reaps a child through its pidfd if it has ended; nothing while it runs. not_found: not our child,
// or reaped already.
[[nodiscard]] Result<std::optional<ExitStatus>> try_reap(int pidfd);
// The same, waiting for its end. The caller's thread only; repeated on EINTR.
[[nodiscard]] Result<ExitStatus> reap(int pidfd);

using BootId = std::array<std::byte, 16>;

// The number of this boot of the machine. Read once.
[[nodiscard]] Result<BootId> boot_id();

// When the process started, in clock ticks since boot. not_found: no such process.
[[nodiscard]] Result<std::uint64_t> start_ticks(pid_t pid);

// The pid namespace of this process, by its inode: pids mean nothing in another one.
[[nodiscard]] Result<std::uint64_t> pid_namespace();

// The mount namespace of a process, by its inode. A sandboxed worker has one of its own, which its
// children share and nobody else can enter. not_found; denied: another user's process.
[[nodiscard]] Result<std::uint64_t> mount_namespace(pid_t pid);

// Plain data: it may be stored in a segment and compared after a restart.
struct ProcessIdentity {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  BootId boot{};

  // The identity of a process that lives now; what start_ticks() and boot_id() say otherwise.
  [[nodiscard]] static Result<ProcessIdentity> of(pid_t pid);
  [[nodiscard]] static Result<ProcessIdentity> self();

  // Whether exactly this process still has a thread that runs (a zombie has not). Where that cannot
  // be told, no descriptor being left, nobody is taken for dead.
  [[nodiscard]] bool alive() const;
  // A pidfd of exactly this process. gone: it has ended, or the pid is somebody else's by now.
  [[nodiscard]] Result<UniqueFd> open() const;

  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

}  // namespace sessionblocks::platform
