#include "platform/event_fd.hpp"
#include "session/block_handle.hpp"
#include "session/succession.hpp"

#include <thread>

namespace sessionblocks {

struct ChangeFd::State {
  platform::EventFd event;
  std::jthread waiter;  // last: it ends before the descriptor it signals
};

ChangeFd::ChangeFd(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
ChangeFd::ChangeFd(ChangeFd&&) noexcept = default;
ChangeFd& ChangeFd::operator=(ChangeFd&&) noexcept = default;
ChangeFd::~ChangeFd() = default;
int ChangeFd::fd() const noexcept {
  return state_->event.fd();
}

Result<ChangeFd> Block::change_fd(const Key& key, Version known) const {
  auto event = platform::EventFd::create();
  if (!event) return tl::unexpected(event.error());
  try {
    auto state = std::make_unique<ChangeFd::State>(ChangeFd::State{std::move(*event), {}});
    // The thread has its own copy of the key and keeps the block open.
    state->waiter = std::jthread([link = link_, name = std::string(key.text()), known,
                                  event_fd = &state->event](std::stop_token stop) {
      for (;;) {
        const auto version = on_now(link, [&](BlockHandle& block) {
          return block.wait(name, known, std::chrono::hours(1), stop);
        });
        if (!version && version.error().code() == Errc::timed_out) continue;
        if (version || version.error().code() != Errc::cancelled) event_fd->signal();
        return;
      }
    });
    return ChangeFd(std::move(state));
  } catch (const std::exception& error) {
    return fail(Errc::out_of_memory, error.what());
  }
}

}  // namespace sessionblocks
