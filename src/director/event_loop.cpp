#include "director/event_loop.hpp"

#include <poll.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>

namespace sessionblocks::director {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

namespace {

// Asio keeps what it knows of a descriptor in an object that it uses again at once. An event that
// was fetched for one descriptor, and then waited behind a callback that ended its watch, is told
// to whoever is watched by that object now. For a pidfd that would be the death of a living worker,
// so the kernel is asked again.
[[nodiscard]] bool is_readable(int fd) noexcept {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, 0) != 0;  // an error is the callback's to find
}

}  // namespace

struct FdWatch::State : std::enable_shared_from_this<State> {
  State(asio::io_context& context, int fd, std::function<void()> readable)
      : descriptor(context, fd), call(std::move(readable)) {}

  void wait_readable() {
    descriptor.async_wait(Descriptor::wait_read,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                            if (error || self->ended) return;
                            if (is_readable(self->descriptor.native_handle())) self->call();
                            if (!self->ended) self->wait_readable();
                          });
  }
  void end() noexcept {
    if (ended) return;
    ended = true;
    // The descriptor belongs to somebody else: asio gives it back instead of closing it.
    descriptor.release();
  }

  Descriptor descriptor;
  std::function<void()> call;
  bool ended = false;
  bool waits_writable = false;
};

FdWatch::~FdWatch() {
  end();
}
FdWatch& FdWatch::operator=(FdWatch&& other) noexcept {
  if (this == &other) return *this;
  end();
  state_ = std::move(other.state_);
  return *this;
}
void FdWatch::end() noexcept {
  if (state_) state_->end();
  state_.reset();
}
void FdWatch::when_writable(std::function<void()> call) {
  if (!state_ || state_->waits_writable) return;
  state_->waits_writable = true;
  state_->descriptor.async_wait(
      Descriptor::wait_write,
      [state = state_, call = std::move(call)](const boost::system::error_code& error) {
        state->waits_writable = false;
        if (!error && !state->ended) call();
      });
}

struct Timer::State {
  explicit State(asio::io_context& context) : timer(context) {}
  asio::steady_timer timer;
  bool ended = false;
};

Timer::~Timer() {
  end();
}
Timer& Timer::operator=(Timer&& other) noexcept {
  if (this == &other) return *this;
  end();
  state_ = std::move(other.state_);
  return *this;
}
void Timer::end() noexcept {
  if (!state_) return;
  state_->ended = true;
  boost::system::error_code ignored;
  state_->timer.cancel(ignored);
  state_.reset();
}

struct EventLoop::Impl {
  asio::io_context context{1};  // one thread
  std::optional<asio::signal_set> signals;
  std::function<void(int)> on_signal;

  void wait_signal() {
    signals->async_wait([this](const boost::system::error_code& error, int number) {
      if (error) return;
      on_signal(number);
      wait_signal();
    });
  }
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

FdWatch EventLoop::watch(int fd, std::function<void()> call) {
  auto state = std::make_shared<FdWatch::State>(impl_->context, fd, std::move(call));
  state->wait_readable();
  return FdWatch(std::move(state));
}

Timer EventLoop::after(std::chrono::milliseconds delay, std::function<void()> call) {
  auto state = std::make_shared<Timer::State>(impl_->context);
  state->timer.expires_after(delay);
  state->timer.async_wait([state, call = std::move(call)](const boost::system::error_code& error) {
    if (!error && !state->ended) call();
  });
  return Timer(std::move(state));
}

void EventLoop::on_signals(const std::vector<int>& signals, std::function<void(int)> call) {
  impl_->on_signal = std::move(call);
  impl_->signals.emplace(impl_->context);
  for (const int number : signals) impl_->signals->add(number);
  impl_->wait_signal();
}

void EventLoop::post(std::function<void()> call) {
  asio::post(impl_->context, std::move(call));
}

void EventLoop::run() {
  const auto work = asio::make_work_guard(impl_->context);
  impl_->context.restart();
  impl_->context.run();
}

void EventLoop::stop() {
  impl_->context.stop();
}

}  // namespace sessionblocks::director
