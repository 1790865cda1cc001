#include "log_follow.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace sessionblocks::ctl {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
// Four looks a second cost nothing that shows. Not inotify: it does not see other machines' writes,
// and a folder that is not there yet cannot be watched.
constexpr milliseconds kShortestNap{10};
constexpr milliseconds kLongestNap{250};

volatile sig_atomic_t is_interrupted = 0;

// While it lives SIGINT and SIGTERM end the loop. A second one ends the process: the first may have
// come while somebody lets us wait for room in a pipe.
class Interrupts {
 public:
  Interrupts() {
    struct sigaction action {};
    action.sa_handler = [](int) { is_interrupted = 1; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    for (std::size_t at = 0; at < kSignals.size(); ++at) {
      ::sigaction(kSignals[at], &action, &before_[at]);
    }
  }
  ~Interrupts() {
    for (std::size_t at = 0; at < kSignals.size(); ++at) {
      ::sigaction(kSignals[at], &before_[at], nullptr);
    }
  }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM};
  std::array<struct sigaction, kSignals.size()> before_{};
};

// False: nobody reads stdout. A signal cuts it short.
bool nap(milliseconds time) {
  pollfd out{.fd = STDOUT_FILENO, .events = 0, .revents = 0};
  return ::poll(&out, 1, static_cast<int>(time.count())) <= 0;
}

class Notices {
 public:
  explicit Notices(const std::string& folder) : folder_(&folder) {}
  void tell(flowlog::LogFollower::State state) {
    using State = flowlog::LogFollower::State;
    if (std::exchange(told_, state) == state || state == State::present) return;
    say(state == State::missing
            ? "no audit log in " + *folder_ + " yet; waiting for one"
            : "the audit log in " + *folder_ + " was taken away; waiting for one in its place");
  }

 private:
  const std::string* folder_;
  flowlog::LogFollower::State told_ = flowlog::LogFollower::State::present;
};

}  // namespace

Result<void> follow_log(const FollowOptions& options, const flowlog::Query& query,
                        LogPrinter& printer) {
  const Interrupts interrupts;
  const auto begun = Clock::now();
  flowlog::LogFollower follower(options.folder, options.from);
  Notices notices(options.folder);
  flowlog::Entry entry;
  milliseconds next_nap = kShortestNap;
  printer.begin();
  for (;;) {
    if (auto written = finish_output(); !written) return written;
    const auto past = std::chrono::duration_cast<milliseconds>(Clock::now() - begun);
    if (is_interrupted != 0 || (options.duration && past >= *options.duration)) break;
    const auto more = follower.next(entry);
    if (!more) return tl::unexpected(more.error());
    notices.tell(follower.state());
    if (*more) {
      next_nap = kShortestNap;
      if (!flowlog::matches(query, entry, follower.reader().state())) continue;
      printer.add(entry, follower.reader());
      continue;
    }
    const milliseconds left = options.duration ? *options.duration - past : next_nap;
    if (!nap(std::min(next_nap, left))) {
      ::raise(SIGPIPE);
      return fail(Errc::io_error, "nobody reads stdout any more");
    }
    next_nap = std::min(next_nap * 2, kLongestNap);
  }
  printer.end();
  return {};
}

}  // namespace sessionblocks::ctl
