#include "director/process_group.hpp"

#include <signal.h>

namespace sessionblocks::director {

void signal_group(pid_t leader, int number) noexcept {
  if (leader > 1) ::kill(-leader, number);
}

void kill_orphaned_group(const platform::ProcessIdentity& leader) noexcept {
  const auto started = platform::start_ticks(leader.pid);
  const bool is_free = !started && started.error() == Errc::not_found;
  if (is_free || (started && *started == leader.start_ticks)) signal_group(leader.pid, SIGKILL);
}

}  // namespace sessionblocks::director
