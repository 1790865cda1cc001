// The director's event loop: descriptors, timers and calls from other threads, one thread.
//
// Boost.Asio does the work and stays in event_loop.cpp. A FdWatch or Timer may be destroyed in any
// callback, its own included; what it would have called is then not called any more.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace sessionblocks::director {

class EventLoop;

// Watches a descriptor that somebody else owns and closes after this.
class FdWatch {
 public:
  struct State;
  FdWatch() noexcept = default;
  explicit FdWatch(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  FdWatch(FdWatch&&) noexcept = default;
  FdWatch& operator=(FdWatch&& other) noexcept;
  ~FdWatch();
  // Calls once when the descriptor takes data; asking again replaces nothing.
  void when_writable(std::function<void()> call);
  void end() noexcept;

 private:
  std::shared_ptr<State> state_;
};

class Timer {
 public:
  struct State;
  Timer() noexcept = default;
  explicit Timer(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  Timer(Timer&&) noexcept = default;
  Timer& operator=(Timer&& other) noexcept;
  ~Timer();
  void end() noexcept;

 private:
  std::shared_ptr<State> state_;
};

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();

  // Calls each time the descriptor has something to read, or its peer has gone; never without.
  [[nodiscard]] FdWatch watch(int fd, std::function<void()> call);
  // Calls once, after the time.
  [[nodiscard]] Timer after(std::chrono::milliseconds delay, std::function<void()> call);
  // Calls for each of these signals, which must not have another handler. For programs only.
  void on_signals(const std::vector<int>& signals, std::function<void(int)> call);
  // Calls soon. From any thread.
  void post(std::function<void()> call);

  // Runs until stop(). Exceptions of callbacks come out here.
  void run();
  // From any thread.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sessionblocks::director
