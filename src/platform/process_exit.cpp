#include "platform/process_exit.hpp"

#include <filesystem>
#include <thread>

#include "platform/proc_file.hpp"
#include "platform/process.hpp"

namespace sessionblocks::platform {

namespace {

constexpr std::uint64_t kExiting = 0x4;  // PF_EXITING
constexpr std::chrono::microseconds kBetweenLooks{100};

bool is_thread_exiting(const std::filesystem::path& task) {
  constexpr int kState = 3;
  constexpr int kFlags = 9;
  const auto line = read_proc_file(task / "stat");
  if (!line) return line.error() == Errc::not_found;
  const auto state = stat_text(*line, kState);
  const auto flags = stat_field(*line, kFlags);
  if (!state || !flags) return false;
  return (*flags & kExiting) != 0 || *state == "Z" || *state == "X";
}

}  // namespace

bool is_exiting(pid_t pid) {
  std::error_code error;
  std::filesystem::directory_iterator task("/proc/" + std::to_string(pid) + "/task", error);
  if (error) return false;
  for (; task != std::filesystem::directory_iterator(); task.increment(error)) {
    if (error || !is_thread_exiting(task->path())) return false;
  }
  return !error;
}

bool wait_until_exiting(int pidfd, pid_t pid, std::chrono::steady_clock::time_point until) {
  while (!pidfd_ended(pidfd)) {
    // While the pidfd was not readable the pid was its own.
    if (is_exiting(pid) && !pidfd_ended(pidfd)) return true;
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(kBetweenLooks);
  }
  return true;
}

}  // namespace sessionblocks::platform
